"""Files that this program writes are its user's alone, whatever the shell's umask says.

Belongs here: the umask of a process. Does not belong here: any file.
"""

import os

_OWNER_ONLY = 0o077


def keep_files_private() -> None:
    """Have this process and its children write files as 0600 and folders as 0700."""
    os.umask(_OWNER_ONLY)
