"""What a process imports that trains and listens for faults; only the server of forks does."""
# ruff: noqa: F401

import mlflow.store.tracking.sqlalchemy_store

import models.fit
import models.recommender.data
import models.recommender.module
import models.recommender.use_case
import tests.faults.sitecustomize
