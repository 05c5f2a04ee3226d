"""Pages that have been made, kept for as long as the catalogue they were made from.

Belongs here: keeping and forgetting bytes. Does not belong here: what a page is, or HTTP beyond
the entity tag.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from bridge_cart_assets.reports.catalogue import Identity

LIMIT = 32 * 1024 * 1024
_OVERHEAD = 512


@dataclass(frozen=True)
class CachedPage:
    """A page as it is sent, and the tag by which a browser asks whether it still holds."""

    body: bytes
    etag: str


def kept(body: bytes) -> CachedPage:
    """A page with the tag of its content."""
    return CachedPage(body, f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"')


@dataclass
class PageCache:
    """The pages used last, of one catalogue at a time; safe to use from many threads."""

    limit: int = LIMIT
    _pages: OrderedDict[str, CachedPage] = field(default_factory=OrderedDict, repr=False)
    _of: Identity | None = None
    _size: int = 0
    _lock: Lock = field(default_factory=Lock, repr=False)
    _making: dict[str, Lock] = field(default_factory=dict, repr=False)

    def find(self, identity: Identity, key: str) -> CachedPage | None:
        """A page that was made from this catalogue."""
        with self._lock:
            if self._of != identity or key not in self._pages:
                return None
            self._pages.move_to_end(key)
            return self._pages[key]

    def find_or_make(
        self, identity: Identity, key: str, make: Callable[[], tuple[Identity, bytes]]
    ) -> CachedPage:
        """A page, made once however many ask for it at the same time.

        Args:
            identity: the catalogue that is there now.
            key: address and filters.
            make: the page, and the catalogue that it was made from in the end.
        """
        found = self.find(identity, key)
        if found:
            return found
        with self._lock:
            making = self._making.setdefault(key, Lock())
        try:
            with making:
                found = self.find(identity, key)
                if found:
                    return found
                of, body = make()
                return self._keep(of, key, kept(body))
        finally:
            with self._lock:
                # the thread that waits has the lock in hand; the next to come may take a new one
                self._making.pop(key, None)

    def _keep(self, identity: Identity, key: str, page: CachedPage) -> CachedPage:
        size = len(page.body) + len(key) + _OVERHEAD
        with self._lock:
            if self._of != identity:
                self._pages.clear()
                self._of, self._size = identity, 0
            if key in self._pages:
                self._forget(key)
            if size > self.limit:
                return page
            self._pages[key] = page
            self._size += size
            while self._size > self.limit:
                self._forget(next(iter(self._pages)))
        return page

    def _forget(self, key: str) -> None:
        self._size -= len(self._pages.pop(key).body) + len(key) + _OVERHEAD
