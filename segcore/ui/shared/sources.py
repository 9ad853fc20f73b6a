"""Where an import reads its files: an upload, or a folder or archive on this machine."""

import re
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from streamlit.runtime.uploaded_file_manager import UploadedFile

from segcore.data.dataset.staging import reserve


@dataclass(frozen=True)
class Source:
    """Where the files come from.

    Attributes:
        upload: An uploaded archive or table, or None.
        path: Folder or archive on this machine, as it was typed; "" with an upload.
    """

    upload: UploadedFile | None
    path: str

    @property
    def given(self) -> bool:
        """Whether there is anything to read."""
        return bool(self.upload or self.path.strip())

    @property
    def suggested_name(self) -> str:
        """The file's or folder's own name, or ""."""
        return Path(self.upload.name if self.upload else self.path).name.split(".")[0]

    @contextmanager
    def files(self) -> Iterator[Path]:
        """Give the folder or archive to read; an upload lies in a temporary folder meanwhile."""
        if self.upload is None:
            yield Path(self.path.strip()).expanduser()
            return
        temporary = Path(tempfile.gettempdir()) / f"segscope-upload-{uuid.uuid4().hex}"
        with reserve(temporary) as staging:
            staging.partial.mkdir(mode=0o700)
            archive = staging.partial / (
                "upload-" + re.sub(r"[^A-Za-z0-9._-]", "_", self.upload.name)[-80:]
            )  # a table's name says its split
            archive.write_bytes(self.upload.getbuffer())
            yield archive
