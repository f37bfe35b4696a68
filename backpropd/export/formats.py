"""The table of export formats: the route, the OpenAPI document, the command and the tests are derived from it."""

from typing import NamedTuple


class ExportFile(NamedTuple):
    """One kind of file: its media type, its extension, and the module and function in this package that write it.

    `copies` is how many times the size of the weights is needed at once, `least` the bytes that any model takes, and
    `most_parameters` the limit of a format that is not meant for large models.
    """

    media_type: str
    extension: str
    module: str
    function: str = "write"
    copies: int = 2
    least: int = 0
    most_parameters: int | None = None

    def memory(self, size: int) -> int:
        """The bytes that writing a model takes whose weights have `size` bytes."""
        return max(self.least, self.copies * size)


SPREADSHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

EXPORT_FORMATS: dict[str, tuple[ExportFile, ...]] = {
    "onnx": (ExportFile("application/octet-stream", "onnx", "onnx_file", copies=8),),
    "python": (ExportFile("text/x-python; charset=utf-8", "py", "python_file", copies=8),),
    "xlsx": (ExportFile(SPREADSHEET, "xlsx", "xlsx_file", copies=64, least=128 * 1024**2, most_parameters=200_000),),
    "card": (
        ExportFile("text/markdown; charset=utf-8", "md", "card", "write_markdown"),
        ExportFile("application/json", "json", "card", "write_json"),
    ),
    "safetensors": (ExportFile("application/octet-stream", "safetensors", "safetensors_file"),),
    "npz": (ExportFile("application/octet-stream", "npz", "npz_file"),),
    "json": (ExportFile("application/json", "json", "json_file"),),
}
"""The files of each format; of several the first is the default, and `Accept` chooses another."""

IMPORTED_FORMATS = ("safetensors", "json")
"""What the service also reads."""
