"""How real are the generated leaves? Learn healthy or diseased from them alone, then judge real photos.

python benchmarks/leaves_realism.py FOLDER

FOLDER holds real photos as FOLDER/<class>/<photo>, optionally with groups.csv; one class is named `healthy`.
"""

import argparse

import sklearn.linear_model
import sklearn.pipeline
import sklearn.preprocessing

from tutorial_utils.data import layouts
from tutorial_utils.evaluation import ood
from tutorial_utils.leaves import dataset
from tutorial_utils.models import backbones, features


def train(borrowed, image_size, plants_per_class, seed):
    """Return a logistic regression on standardized features of generated leaves: True = diseased."""
    photos = dataset.load_leaves(seed=seed, plants_per_class=plants_per_class)
    model = sklearn.pipeline.make_pipeline(
        sklearn.preprocessing.StandardScaler(),
        sklearn.linear_model.LogisticRegression(C=0.01, class_weight="balanced", max_iter=2000),
    )
    return model.fit(features.stored(photos, borrowed, image_size)[:], photos["label"] != "healthy")


def main():
    """Print the area under the ROC curve on the real photos, with its interval."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="real photos, folder/<class>/<photo>, one class named healthy")
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--plants-per-class", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0, help="seed of the generated leaves")
    arguments = parser.parse_args()

    photos = layouts.load_folder(arguments.folder)
    found = sorted(set(photos["label"]))
    if "healthy" not in found:
        parser.error(f"{arguments.folder} must hold a class folder named healthy; it holds {', '.join(found)}")
    borrowed = backbones.get("efficientnet_lite0")
    model = train(borrowed, arguments.image_size, arguments.plants_per_class, arguments.seed)
    scores = model.decision_function(features.stored(photos, borrowed, arguments.image_size)[:])
    diseased, groups = (photos["label"] != "healthy").to_numpy(), photos["group"].to_numpy()
    print(ood.auroc(scores[~diseased], scores[diseased], groups[~diseased], groups[diseased]))
    print(f"{len(photos)} real photos, {diseased.sum()} of them diseased, at {arguments.image_size} px")


if __name__ == "__main__":
    main()
