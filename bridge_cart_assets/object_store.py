"""Objects below an address of a store: listing, reading, removing, and words for what went wrong.

Belongs here: the only use of obstore, for the lake's logs and the landing zone. Tables are read and
written by delta-rs and Polars, which bring the same client (the Rust crate object_store), so that
one set of variables reaches all three. Does not belong here: what an object means.

Credentials come from the environment only. They stand in `options`, which is never shown.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from obstore.store import ObjectStore as Client

# What concerns the connection and not the account, by the names that the variables end with.
_OF_CLIENT = (
    *("allow_http", "allow_invalid_certificates", "connect_timeout", "timeout", "proxy_url"),
    *("pool_idle_timeout", "pool_max_idle_per_host", "user_agent", "http1_only", "http2_only"),
)
_STORES = ("aws_", "google_", "azure_")
_ATTEMPTS = 4
_BROKEN_OFF = re.compile(r"response body|IncompleteBody|IncompleteMessage")
_PAGE = 1000
_READ_BYTES = 4 * 1024**2
# Up to so many bytes a file is put in one request, which can say what it may replace.
_ONE_REQUEST_BYTES = 64 * 1024**2
# What object_store writes about a request that failed.
_REQUEST = re.compile(r"Error performing (\w+) (https?://[^/\s]+)(/\S*)?")
_ABOUT = re.compile(
    r"Generic (S3|GCS|MicrosoftAzure|HTTP) error|Error performing \w+ http|"
    r"Object at location|credentials? provider|Missing (AccountName|BucketName|ContainerName)",
    re.IGNORECASE,
)
_UNKNOWN = re.compile(r"Configuration key: '([^']+)' is not valid")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# The first that is met tells what is wrong. Codes are those of S3, MinIO, GCS and Azure.
_PROBLEMS: tuple[tuple[str, str, str], ...] = (
    (
        r"NoSuchBucket|bucket does not exist|ContainerNotFound|container does not exist",
        "there is no such bucket",
        "create it, or mend the address in {variables}",
    ),
    (
        r"InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken|InvalidToken|401 Unauthorized|"
        r"AuthenticationFailed|Unauthenticated|NoCredentials|credentials? provider|"
        r"not loaded|169\.254\.169\.254",
        "the credentials are missing or not accepted",
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or what the store asks for",
    ),
    (
        r"AccessDenied|PermissionDenied|Forbidden|lacked the necessary privileges|status code: 403",
        "permission was denied ({method})",
        "let these credentials list, read, write and delete below the address",
    ),
    (
        r"XMinioStorageFull|StorageFull|QuotaExceeded|Insufficient ?Storage|status code: 507",
        "the store is full or over its quota",
        "make room there, then run again",
    ),
    (
        r"Connection refused|error sending request|dns error|timed out|TimedOut|connection closed|"
        r"connection reset|response body|IncompleteBody|IncompleteMessage|network unreachable",
        "it cannot be reached, or the connection breaks",
        "look at the endpoint (AWS_ENDPOINT_URL) and the network, then run again",
    ),
    (
        r"SlowDown|Service ?Unavailable|InternalError|Server Error|status code: 5\d\d|"
        r"after \d+ retries",
        "it keeps answering with errors",
        "wait until the store is well again, then run again",
    ),
)


class StoreError(RuntimeError):
    """A store did not do what it was asked; the message says what is wrong and what to do."""


@dataclass(frozen=True)
class StoredObject:
    """One object, by name.

    Attributes:
        path: below the store's address.
        size: bytes.
        modified: when it was written (UTC).
        etag: the store's name for its content; empty where a store gives none.
    """

    path: str
    size: int
    modified: datetime
    etag: str


class ObjectStore:
    """The objects below an address such as `s3://bucket/prefix`.

    All methods raise `StoreError` when the store refuses, breaks or cannot be reached.
    """

    def __init__(self, uri: str, options: Mapping[str, str]) -> None:
        self.uri = uri
        with store_errors(uri):
            self._client = _client(uri, options)

    def objects(self, prefix: str = "", after: str | None = None) -> Iterator[StoredObject]:
        """The objects of a folder and of those below it, in the order of their names.

        Args:
            prefix: path of the folder, without a slash at its end.
            after: only names behind this path, which may be no object's.
        """
        import obstore
        from obstore.exceptions import GenericError

        with store_errors(self.uri):
            for attempts_left in reversed(range(_ATTEMPTS)):
                listing = obstore.list(self._client, prefix or None, offset=after, chunk_size=_PAGE)
                try:
                    for meta in chain.from_iterable(listing):
                        after = meta["path"]
                        yield StoredObject(
                            after, meta["size"], meta["last_modified"], meta["e_tag"] or ""
                        )
                except GenericError as error:
                    # An answer that breaks off is not asked for again by the client itself.
                    if not attempts_left or not _BROKEN_OFF.search(str(error)):
                        raise
                else:
                    return

    def folders(self) -> list[str]:
        """The names of the folders directly below the address."""
        import obstore

        with store_errors(self.uri):
            found = obstore.list_with_delimiter(self._client)["common_prefixes"]
        return sorted(path.strip("/") for path in found)

    def size(self, path: str) -> int | None:
        """Bytes of an object; None when there is none."""
        import obstore

        with store_errors(self.uri):
            try:
                return int(obstore.head(self._client, path)["size"])
            except FileNotFoundError:
                return None

    def read(self, path: str) -> bytes:
        """An object's content.

        Raises:
            FileNotFoundError: there is none.
        """
        import obstore

        with store_errors(self.uri):
            return bytes(obstore.get(self._client, path).bytes())

    def write(self, path: str, content: bytes) -> None:
        """Put an object in its place, whole."""
        import obstore

        with store_errors(self.uri):
            obstore.put(self._client, path, content)

    def replace(self, path: str, file: Path, etag: str) -> str:
        """Put a file's content in the place of an object, whole; the ETag of what is there then.

        What was noted about the object, its kind of content for instance, stays.

        Args:
            path: the object.
            file: the content.
            etag: what the object must still be. Between the last look and the end of a large file
                another one may come all the same.

        Raises:
            FileNotFoundError: there is none, or it is another one by now.
        """
        import obstore
        from obstore.exceptions import PreconditionError

        with store_errors(self.uri):
            looked = obstore.get(self._client, path, options={"head": True})
            meta = looked.meta
            if meta["e_tag"] != etag:
                raise FileNotFoundError(f"{path} was replaced")
            is_small = file.stat().st_size <= _ONE_REQUEST_BYTES
            still: Any = {name: meta[name] for name in ("e_tag", "version") if meta[name]}
            try:
                put = obstore.put(
                    *(self._client, path, file),
                    attributes=looked.attributes,
                    mode=still if is_small else "overwrite",
                    use_multipart=not is_small,
                )
            except PreconditionError as error:
                raise FileNotFoundError(f"{path} was replaced") from error
            return put["e_tag"] or ""

    def keeps_versions(self) -> bool:
        """Whether the store names versions of objects, as one does that keeps earlier ones.

        One object is asked. Another person's rights decide what is kept, so more is not known.
        """
        import obstore

        first = next(self.objects(), None)
        if first is None:
            return False
        with store_errors(self.uri):
            return obstore.head(self._client, first.path)["version"] is not None

    def download(self, path: str, file: IO[bytes], etag: str = "") -> None:
        """Write an object's content into a file, piece by piece.

        Args:
            path: the object.
            file: an open file.
            etag: what it must still be; whatever it is without.

        Raises:
            FileNotFoundError: there is none, or it is another one by now.
        """
        import obstore
        from obstore.exceptions import PreconditionError

        with store_errors(self.uri):
            try:
                options: Any = {"if_match": etag} if etag else None
                for piece in obstore.get(self._client, path, options=options).stream(_READ_BYTES):
                    file.write(piece)
            except PreconditionError as error:
                raise FileNotFoundError(f"{path} was replaced") from error

    def move(self, path: str, to: str) -> None:
        """Give an object another path; in between it has both.

        Raises:
            FileNotFoundError: there is none.
        """
        import obstore

        with store_errors(self.uri):
            obstore.copy(self._client, path, to)
        self.delete([path])

    def delete(self, paths: Sequence[str]) -> None:
        """Remove objects; those that are not there are passed over."""
        import obstore

        with store_errors(self.uri):
            try:
                obstore.delete(self._client, list(paths))
            except FileNotFoundError:
                return


def object_store(uri: str, options: Mapping[str, str]) -> ObjectStore:
    """The store at an address; a process keeps its connections."""
    return _opened(uri, tuple(sorted(options.items())))


def is_uri(place: str) -> bool:
    """Whether a place is an address in a store, and no folder of this machine."""
    return "://" in place


@contextmanager
def store_errors(uri: str) -> Iterator[None]:
    """What obstore raises, as `StoreError`; an object that is not there is `FileNotFoundError`."""
    from obstore.exceptions import BaseError

    try:
        yield
    except (BaseError, FileNotFoundError) as error:
        problem = store_problem(error, uri)
        # A missing bucket is "not found" too.
        if isinstance(error, FileNotFoundError) and (
            problem is None or "no such bucket" not in problem
        ):
            raise
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise StoreError(problem or f"{uri}: {first}") from error


def store_problem(error: BaseException | str, uri: str = "") -> str | None:
    """What is wrong with a store, in two lines, when an error is about one; else None.

    Args:
        error: of obstore, delta-rs or Polars, or the text of one.
        uri: the address that was used, if it is known.
    """
    text = error if isinstance(error, str) else "\n".join(_chain(error))
    text = _COLOUR.sub("", text)
    if not uri and not _ABOUT.search(text):
        return None
    request = _REQUEST.search(text)
    method = request[1] if request else "request"
    if not uri:
        path = ((request[3] or "") if request else "").partition("?")[0]
        uri = f"{request[2]}{path}" if request else "the object store"
    for pattern, problem, remedy in _PROBLEMS:
        if re.search(pattern, text, re.IGNORECASE):
            variables = "BRIDGE_CART_LAKE or BRIDGE_CART_LANDING"
            return f"{uri}: {problem.format(method=method)}\n{remedy.format(variables=variables)}"
    return None


def _chain(error: BaseException | None) -> Iterator[str]:
    """An error's text and those of its causes, each once."""
    seen = 0
    while error is not None and seen < 8:
        yield f"{type(error).__name__}: {error}"
        error, seen = error.__cause__ or error.__context__, seen + 1


@lru_cache(maxsize=8)
def _opened(uri: str, options: tuple[tuple[str, str], ...]) -> ObjectStore:
    return ObjectStore(uri, dict(options))


def _client(uri: str, options: Mapping[str, str]) -> "Client":
    """The client; of the options those that it knows, as delta-rs and Polars pass over others."""
    from obstore.exceptions import UnknownConfigurationKeyError
    from obstore.store import from_url

    of_client: dict[str, str] = {}
    of_account: dict[str, str] = {}
    for name, value in options.items():
        key = name.lower()
        bare = next((key.removeprefix(s) for s in _STORES if key.startswith(s)), key)
        if bare in _OF_CLIENT:
            of_client[bare] = value
        else:
            of_account[key] = value
    if uri.startswith("file:"):
        return from_url(uri, mkdir=True)
    while True:
        try:
            return from_url(uri, config=of_account, client_options=of_client)  # type: ignore[call-overload, no-any-return]
        except UnknownConfigurationKeyError as error:
            unknown = _UNKNOWN.search(str(error))
            if unknown is None or of_account.pop(unknown[1], None) is None:
                raise
