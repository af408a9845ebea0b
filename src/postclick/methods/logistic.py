"""Plain logistic regression: the model that every other one should be compared with first."""

from pydantic import Field

from postclick.methods.fitted import Fitting
from postclick.methods.linear import CTR, CVR, LinearMethod
from postclick.methods.options import MethodConfig
from postclick.ranges import Between


class LogisticConfig(MethodConfig):
    """Options of `logistic`.

    Attributes:
        variance: prior variance of all coefficients, what scikit-learn calls C.
    """

    search = {"variance": Between(0.003, 3.0, log=True)}

    variance: float = Field(default=1.0, gt=0)


class Logistic(LinearMethod[LogisticConfig]):
    r"""Two logistic regressions with an L2 penalty, each for itself.

    L = sum_D l(p; c) + |a|^2 / (2 variance) and sum_C l(q; v) + |b|^2 / (2 variance), where the
    logit of p is an intercept and the sum of the row's coefficients a, one for each value of each
    field and each number, and that of q the same with b. Intercepts are not penalised. Rows count
    by their weights, in units of their mean. A list adds the weighted sum of its values'
    coefficients; numerics end at 4 standard deviations. Clicks alone read the exposure.

    Source: ridge logistic regression (le Cessie and van Houwelingen, Applied Statistics 41, 1992).
    """

    name = "logistic"
    summary = "logistic regressions of clicks and of conversions with one L2 penalty"
    reference = "le Cessie and van Houwelingen, Applied Statistics 41, 1992"
    expect = (
        "fitted in seconds and hard to get wrong, but one penalty for fields of ten values and of "
        "ten thousand is too little for some and too much for others: behind `naive` and "
        "`click_prior` in the simulated worlds; as biased as `naive` where an unseen cause drives "
        "both clicks and conversions."
    )
    Config = LogisticConfig

    def fit(self, fitting: Fitting) -> None:
        # Here, for it loads SciPy, which nothing else of a method needs.
        from postclick.methods.linear_fit import LinearFit

        variance, told = self.config.variance, fitting.reporter.line
        fit = LinearFit(fitting.log, self.inputs, self.rates, variance, threads=fitting.threads)
        told("clicks on all impressions")
        clicks = fitting.stage("clicks", fit.clicks)
        told("conversions on clicked impressions")
        conversions = fitting.stage("conversions", lambda: fit.conversions(None, 0.0))
        self.take(CTR, fit.columns(exposed=True), clicks["coefficients"])
        self.take(CVR, fit.columns(exposed=False), conversions["coefficients"])
