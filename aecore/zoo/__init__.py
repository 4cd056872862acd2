"""Trained models that a second run, or another chapter, need not train again.

    from aecore.zoo import trained

    def make(config):
        model = VariationalAutoencoder([784, 256, config["latent"]], Bernoulli())
        return initialise(model, generator("vae, weights"))

    def train(model, config):
        return fit(model, loss, x, epochs=config["epochs"], seed=seed("vae"))

    vae, history, seconds = trained("vae", make, train, config={"latent": 16, "epochs": 40})

- ``train``        ``trained``: takes the model from the cache, or trains it and puts it there
- ``fingerprint``  what a result depends on, as one number: code, configuration, data, versions
- ``store``        the files of the cache
- ``digits``       models of digits that several chapters share: the classifier that they look
                   through, a VAE, a diffusion of pixels
"""

from aecore.zoo.digits import digit_classifier, digit_diffusion, digit_vae
from aecore.zoo.train import Trained, trained

__all__ = ["Trained", "digit_classifier", "digit_diffusion", "digit_vae", "trained"]
