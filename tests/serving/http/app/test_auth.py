"""Where the API key comes from, and poor ones."""

from pathlib import Path

import pytest

from postclick.errors import InputError
from postclick.serving.http.app.auth import ApiKey


def test_where_the_key_comes_from(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from-the-file-0123\n")
    variable = {"POSTCLICK_API_KEY": "from-the-variable-0123"}
    ApiKey.load(tmp_path / "key", variable).check({"authorization": "Bearer from-the-file-0123"})
    ApiKey.load(None, variable).check({"authorization": "Bearer from-the-variable-0123"})
    assert not ApiKey.load(None, {}).is_set


@pytest.mark.parametrize("text", ["", "short", "two words of a key", "schlüssel-schlüssel"])
def test_a_poor_key_is_refused_and_not_shown(tmp_path: Path, text: str) -> None:
    (tmp_path / "key").write_text(text)
    with pytest.raises(InputError) as caught:
        ApiKey.load(tmp_path / "key", {})
    assert not text or text not in str(caught.value)
    with pytest.raises(InputError, match="POSTCLICK_API_KEY"):
        ApiKey.load(None, {"POSTCLICK_API_KEY": text})
    with pytest.raises(InputError, match="cannot be read"):
        ApiKey.load(tmp_path / "none", {})
