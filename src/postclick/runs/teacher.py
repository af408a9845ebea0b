"""What a run was taught by: another run, named in its settings."""

from pydantic import BaseModel, ConfigDict


class Teacher(BaseModel):
    """The run whose predictions are a student's labels.

    Attributes:
        run: its folder.
        method: what it is.
        sha256: of its weights, so that nobody goes on with another teacher.
        differs_on_clicks: whether its pCVR is meant to be another rate than that on clicks.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    run: str
    method: str
    sha256: str
    differs_on_clicks: bool = False
