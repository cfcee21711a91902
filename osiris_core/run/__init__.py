"""The one executor: it runs manifests, and is the only place that runs drivers."""
