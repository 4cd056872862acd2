"""What the tests of several widgets ask."""

import pytest


def refuses(widget, field, value, words, error=ValueError):
    """Whether a field refuses a value, says so in these words, and stays as it was."""
    before = getattr(widget, field)
    with pytest.raises(error, match=words):
        setattr(widget, field, value)
    return getattr(widget, field) == before
