"""The signal that what a reader yielded is void, because it reads the file in another way from now on."""


class ReadAgain(Exception):
    """The file is not what its beginning promised: iterate over its reader once more."""
