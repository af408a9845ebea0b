"""A fresh student with its teacher, from settings that name one."""

import torch

from postclick.data.prepared import PreparedLog
from postclick.errors import InputError
from postclick.methods.student import Student
from postclick.runs.build import build_method
from postclick.runs.folder import MODEL
from postclick.runs.run import Run
from postclick.runs.settings import RunSettings
from postclick.runs.teacher import Teacher
from postclick.system.checksums import file_digest


def build_student(
    settings: RunSettings, teacher: Teacher, log: PreparedLog, device: torch.device
) -> Student:
    """A network with fresh weights that learns from the run that its settings name.

    Raises:
        InputError: the teacher is gone, has other weights by now, or knows another log.
    """
    taught = Run(teacher.run)
    if file_digest(taught.folder / MODEL) != teacher.sha256:
        raise InputError(
            f"the teacher {teacher.run} has other weights than when this was begun: remove what "
            "was begun, and distill it anew"
        )
    taught.require(log)
    student = build_method(settings, log, Student).to(device)
    assert isinstance(student, Student)
    student.learn_from(taught.load().to(device))
    return student
