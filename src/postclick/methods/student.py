"""A plain network that learns what another method predicts, instead of labels."""

from typing import Any

import torch

from postclick.data.batch import Batch
from postclick.losses import Term, Terms, cross_entropy, mean_entire, row_weights
from postclick.methods.base import Method, Outputs, Step
from postclick.methods.naive import Naive, NaiveConfig
from postclick.methods.prediction import Prediction


def soft_terms(config: NaiveConfig, outputs: Outputs, soft: Prediction) -> Terms:
    """L = mean_D l(p; p_T) + mean_D l(q; q_T): both heads learn on all impressions.

    p_T and q_T are the teacher's pCTR and pCVR. It predicts pCVR where nobody clicked as well, so
    every impression is a label, and no click and no conversion has a say.

    Source: Hinton, Vinyals and Dean, Distilling the knowledge in a neural network, 2015, at
    temperature 1.
    """
    return {
        head: Term(mean_entire(cross_entropy(outputs.logits[head], z.sigmoid())), weight, "entire")
        for head, z, weight in (
            ("ctr", soft.ctr, config.ctr_weight),
            ("cvr", soft.cvr, config.cvr_weight),
        )
    }


class Student(Naive):
    """`naive` whose labels are a teacher's predictions; when it is trained, it is `naive`."""

    def learn_from(self, teacher: Method[Any]) -> None:
        """Have `teacher` label the batches; its weights are none of the student's."""
        teacher.requires_grad_(False).eval()
        self._teachers = [teacher]

    def loss(self, batch: Batch, step: Step = Step()) -> tuple[Outputs, Terms]:  # noqa: B008
        (teacher,) = self._teachers
        outputs = self(batch, step)
        with torch.no_grad():
            soft = teacher.predict_sampled(batch)
        with row_weights(batch.weight):
            terms = soft_terms(self.config, outputs, soft)
        return outputs, {name: term for name, term in terms.items() if term.weight > 0}
