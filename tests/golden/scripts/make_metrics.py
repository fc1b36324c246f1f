"""Metrics by scikit-learn, and DeLong's test: `metrics/`.

    python make_metrics.py OUTDIR

DeLong's variances are computed here from mid-ranks (Sun and Xu 2014) and checked against their definition; no library
of `requirements.txt` has them. The expected calibration error, too, is computed here.
"""

import warnings

import numpy as np
import sklearn
from scipy.stats import norm, rankdata
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    log_loss,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)

from files import main, numbers, write_json
from generator import CONFIG

BINS = 15


def defined(score, *arguments, **options):
    """A score of scikit-learn's; `None` where it has none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            value = float(score(*arguments, **options))
        except ValueError:
            return None
    return None if np.isnan(value) else value


def auc(y, p):
    return None if len(set(y)) < 2 else float(roc_auc_score(y, p))


def calibration(y, p):
    """The expected calibration error, and what is in each bin."""
    bins = np.minimum(np.floor(p * BINS).astype(int), BINS - 1)
    error, rows = 0.0, []
    for index in range(BINS):
        inside = bins == index
        row = {"count": int(inside.sum()), "mean_p": None, "fraction_positive": None}
        if inside.any():
            row["mean_p"], row["fraction_positive"] = float(p[inside].mean()), float(y[inside].mean())
            error += inside.mean() * abs(row["fraction_positive"] - row["mean_p"])
        rows.append(row)
    return float(error), rows


def scored(name, y, p, weight=None, note=""):
    y, p = np.asarray(y), np.asarray(p, float)
    error, rows = calibration(y, p)
    one_class = len(set(y)) < 2
    raw = {
        "roc_auc_score": str(defined(roc_auc_score, y, p)),
        "average_precision_score": str(defined(average_precision_score, y, p)),
    }
    precision = defined(average_precision_score, y, p, sample_weight=weight)
    return {
        "name": name,
        "note": note,
        "y": numbers(y),
        "p": numbers(p),
        "weight": None if weight is None else numbers(weight),
        "roc_auc": None if one_class else defined(roc_auc_score, y, p, sample_weight=weight),
        "average_precision": precision if y.any() else None,
        "brier": defined(brier_score_loss, y, p, sample_weight=weight),
        "log_loss": defined(log_loss, y, p, sample_weight=weight, labels=[0, 1]),
        "ece15_unweighted": error,
        "ece15_bins": rows if name == "plain" else None,
        "sklearn_raw": raw if one_class else None,
    }


def make_metrics(folder, generator):
    def draw(count, rate=0.35, separation=1.2):
        return draw_scores(generator, count, rate, separation)

    y, p = draw(60)
    cases = [
        scored("plain", y, p),
        scored("weights", y, p, np.round(generator.random(60) * 3 + 0.1, 3)),
        scored("zero_weights", y, p, (generator.random(60) < 0.7).astype(float)),
    ]
    y, p = draw(80)
    p = np.clip(np.round(p, 1), 0.05, 0.95)
    cases += [scored("ties", y, p), scored("ties_weights", y, p, np.round(generator.random(80) + 0.5, 2))]
    y, p = draw(20)
    without_positives = "ROC AUC and AP undefined (sklearn returns AP 0.0 with a warning)"
    clipped = "log loss clips p to [eps, 1-eps], eps = 2.220446049250313e-16 (float64)"
    cases += [
        scored("all_positive", np.ones(20, int), p, note="ROC AUC undefined"),
        scored("all_negative", np.zeros(20, int), p, note=without_positives),
        scored("constant_score", y, np.full(20, 0.3)),
        scored("perfect", [0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9]),
        scored("inverted", [1, 1, 0, 0], [0.1, 0.2, 0.8, 0.9]),
        scored("two_samples", [0, 1], [0.5, 0.5]),
        scored("probabilities_0_and_1", [0, 1, 0, 1, 1], [0.0, 1.0, 1.0, 0.0, 0.5], note=clipped),
    ]
    y, p = draw(2000, 0.05, 2)
    cases.append(scored("rare_2000", y, np.round(p, 6)))

    y, p = draw(12)
    p = np.round(p, 1)
    false_positives, true_positives, thresholds = roc_curve(y, p, drop_intermediate=False)
    precision, recall, pr_thresholds = precision_recall_curve(y, p)
    curves = {
        "y": numbers(y),
        "p": numbers(p),
        "roc_thresholds_first_is_inf": ["inf", *numbers(thresholds[1:])],
        "fpr": numbers(false_positives),
        "tpr": numbers(true_positives),
        "pr_thresholds": numbers(pr_thresholds),
        "precision": numbers(precision),
        "recall": numbers(recall),
    }

    labels = (generator.random((30, 5)) < 0.4).astype(int)
    labels[:, 3] = 1
    scores = np.round(generator.random((30, 5)), 3)
    each = [auc(labels[:, label], scores[:, label]) for label in range(5)]
    macro = {
        "Y": numbers(labels),
        "P": numbers(scores),
        "per_label_auc": each,
        "macro_over_defined": float(np.mean([value for value in each if value is not None])),
    }
    found = {"sklearn": sklearn.__version__, "cases": cases, "curves": curves, "macro": macro}
    write_json(folder, "metrics/metrics.json", found)


def draw_scores(generator, count, rate, separation):
    """Labels, one of each kind at least, and scores that separate them somewhat."""
    y = (generator.random(count) < rate).astype(int)
    y[:2] = [0, 1]
    return y, 1 / (1 + np.exp(-(generator.normal(0, 1, count) + separation * (y - 0.5) - 0.5)))


def delong(y, scores):
    """The areas under the curves and their covariances. `scores`: `[models, cases]`."""
    positive, negative = scores[:, y == 1], scores[:, y == 0]
    m, n = positive.shape[1], negative.shape[1]
    both = rankdata(np.concatenate([positive, negative], 1), axis=1)
    areas = (both[:, :m].sum(1) - m * (m + 1) / 2) / (m * n)
    of_positive = (both[:, :m] - rankdata(positive, axis=1)) / n
    of_negative = 1 - (both[:, m:] - rankdata(negative, axis=1)) / m
    covariance = np.cov(of_positive) / m + np.cov(of_negative) / n
    for model, area in enumerate(areas):  # the definition: every positive against every negative
        above = positive[model][:, None] - negative[model]
        won = (above > 0) + 0.5 * (above == 0)
        variance = won.mean(1).var(ddof=1) / m + won.mean(0).var(ddof=1) / n
        assert abs(won.mean() - area) < 1e-12 and abs(variance - covariance[model, model]) < 1e-12
        assert abs(roc_auc_score(y, scores[model]) - area) < 1e-12
    return areas, covariance


def make_delong(folder, generator):
    y, a = draw_scores(generator, 90, 0.4, 1.5)
    b = np.round(0.6 * a + 0.4 * generator.random(90), 2)
    areas, covariance = delong(y, np.array([a, b]))
    z = norm.ppf(0.975)
    found = {"y": numbers(y), "score_a": numbers(a), "score_b": numbers(b)}
    for model, (name, area) in enumerate(zip("ab", areas)):
        variance = covariance[model, model]
        error = np.sqrt(variance)
        logit, logit_error = np.log(area / (1 - area)), error / (area * (1 - area))
        found[name] = {
            "auc": float(area),
            "variance": float(variance),
            "ci95_normal": numbers([area - z * error, area + z * error]),
            "ci95_logit": numbers([1 / (1 + np.exp(-(logit + side * z * logit_error))) for side in (-1, 1)]),
        }
    difference = areas[0] - areas[1]
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    score = difference / np.sqrt(variance)
    found |= {
        "covariance": float(covariance[0, 1]),
        "difference": float(difference),
        "difference_variance": float(variance),
        "z": float(score),
        "p_two_sided": float(2 * norm.sf(abs(score))),
    }
    write_json(folder, "metrics/delong.json", found)


def make_study_level(folder, generator):
    images, studies = [], {}
    for _ in range(14):
        patient, study = int(generator.integers(1, 7)), int(generator.integers(1, 3))
        key = f"patient{64540 + patient}/study{study}"
        of_study = studies.setdefault(key, [])
        view = len(of_study) + 1
        side = "frontal" if view == 1 else "lateral"
        of_study.append({
            "path": f"CheXpert-v1.0/valid/{key}/view{view}_{side}.jpg",
            "label": numbers((np.random.default_rng(patient * 10 + study).random(3) < 0.5).astype(int)),
            "p": numbers(np.round(generator.random(3), 3)),
        })  # fmt: skip
        images.append(of_study[-1])
    rows = [
        {
            "study": key,
            "views": len(views),
            "label": views[0]["label"],
            "p_max": numbers(np.max([view["p"] for view in views], 0)),
        }
        for key, views in sorted(studies.items())
    ]
    labels, scores = np.array([row["label"] for row in rows]), np.array([row["p_max"] for row in rows])
    write_json(folder, "metrics/study_level.json", {
        "rule": "per study and label: maximum over all its views",
        "images": images,
        "studies_sorted": rows,
        "study_level_auc": [auc(labels[:, label], scores[:, label]) for label in range(3)],
    })  # fmt: skip


def make(folder, only=()):
    generator = np.random.default_rng(CONFIG["data_seed"] + 3)  # one for all three, in this order
    make_metrics(folder, generator)
    make_delong(folder, generator)
    make_study_level(folder, generator)


if __name__ == "__main__":
    main(make)
