"""Maximum likelihood: the parameters that make the data most likely, with their standard errors.

Belongs here: the search, its bounds, and standard errors. Does not belong here: any particular
likelihood (`models.buy_till_you_die`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Model = TypeVar("Model")
# Log-likelihood and its gradient at the logarithms of the parameters.
Likelihood = Callable[[Floats], tuple[float, Floats]]

# Parameters lie within these bounds, in days or without unit: beyond them nothing changes but the
# arithmetic, and a fit that has no end stops here.
_LOWEST, _HIGHEST = 1e-4, 1e5
_ITERATIONS = 300
# Relative width of the differences that give the Hessian from the gradient.
_STEP = 1e-4


@dataclass(frozen=True)
class Fitted(Generic[Model]):
    """A model with the results of its fit.

    Attributes:
        model: the model at the estimates.
        covariance: of the logarithms of the parameters; None where a bound was reached.
        log_likelihood: at the estimates; None when nothing was fitted.
        customers: how many it was fitted to.

    >>> from bridge_cart_assets.models.buy_till_you_die import Nbd
    >>> Fitted(Nbd(r=2.0, alpha=10.0), np.diag([0.01, 0.04]), None, 500).errors
    {'r': 0.2, 'alpha': 2.0}
    """

    model: Model
    covariance: Floats | None
    log_likelihood: float | None
    customers: int

    @property
    def errors(self) -> dict[str, float | None]:
        """Standard error by parameter."""
        values = parameters(self.model)
        if self.covariance is None:
            return dict.fromkeys(values)
        of_logs = np.sqrt(np.diag(self.covariance)).tolist()
        return {
            name: value * error
            for (name, value), error in zip(values.items(), of_logs, strict=True)
        }


def maximise(
    kind: Callable[..., Model],
    likelihood: Likelihood,
    starts: Sequence[Mapping[str, float]],
    customers: float,
) -> Fitted[Model]:
    """The best of several bounded climbs, with standard errors from the curvature at the top.

    The search is in logarithms, where parameters are above zero by themselves.

    Args:
        kind: makes the model from the parameters by name.
        likelihood: log-likelihood and gradient at the logarithms of the parameters.
        starts: where the climbs begin.
        customers: number of customers behind the likelihood.

    Ten orders in five days are two a day. The variance of the logarithm of this rate is 1 / 10:

    >>> def ten_orders_in_five_days(logs):
    ...     return float(10 * logs[0] - 5 * np.exp(logs[0])), 10 - 5 * np.exp(logs)
    >>> fitted = maximise(dict, ten_orders_in_five_days, [{"rate": 1.0}], customers=1)
    >>> round(fitted.model["rate"], 4), round(fitted.covariance.item(), 4)
    (2.0, 0.1)
    """
    from scipy.optimize import minimize

    names = list(starts[0])
    bounds = [(np.log(_LOWEST), np.log(_HIGHEST))] * len(names)

    def downhill(logs: Floats) -> tuple[float, Floats]:
        height, gradient = likelihood(logs)
        return -height / customers, -gradient / customers

    tops = [
        minimize(
            downhill,
            np.clip(np.log([start[name] for name in names]), *bounds[0]),
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options={"maxiter": _ITERATIONS, "ftol": 1e-13, "gtol": 1e-8},
        )
        for start in starts
    ]
    top = min(tops, key=lambda found: found.fun)
    return Fitted(
        model=kind(**dict(zip(names, np.exp(top.x).tolist(), strict=True))),
        covariance=_covariance(likelihood, top.x, bounds[0]),
        log_likelihood=-float(top.fun) * float(customers),
        customers=round(customers),
    )


def _covariance(likelihood: Likelihood, logs: Floats, bounds: tuple[float, float]) -> Floats | None:
    """The covariance by the curvature at the top; None where a bound was reached or it is flat."""
    if np.any(logs <= bounds[0] + _STEP) or np.any(logs >= bounds[1] - _STEP):
        return None
    steps = np.eye(len(logs)) * _STEP
    curvature = np.array(
        [(likelihood(logs - h)[1] - likelihood(logs + h)[1]) / (2 * _STEP) for h in steps]
    )
    try:
        covariance: Floats = np.linalg.inv((curvature + curvature.T) / 2)
    except np.linalg.LinAlgError:
        return None
    is_peak = np.all(np.isfinite(covariance)) and np.all(np.linalg.eigvalsh(covariance) > 0)
    return covariance if is_peak else None


def parameters(model: object) -> dict[str, float]:
    """The parameters of a model by name.

    >>> from bridge_cart_assets.models.buy_till_you_die import Nbd
    >>> parameters(Nbd(r=0.5, alpha=20.0))
    {'r': 0.5, 'alpha': 20.0}
    """
    return {field.name: getattr(model, field.name) for field in fields(model)}  # type: ignore[arg-type]
