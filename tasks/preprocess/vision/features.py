"""The features of vision, as `tasks.preprocess.features` asks for them."""

from __future__ import annotations

from pydantic import BaseModel

from data_contracts.night import HeldOut, Night, Protocol, Validated, Workspace
from tasks.preprocess.vision.config import FeatureConfig


class VisionFeatures:
    """Pixels of one size, and the numbers of classes."""

    config = FeatureConfig

    def build_night(
        self,
        workspace: Workspace,
        validated: Validated,
        held_out: HeldOut,
        features: BaseModel,
        protocol: Protocol,
        cluster: str,
    ) -> Night:
        """See `tasks.preprocess.vision.night`, which is imported when it is needed: settings need it not."""
        from tasks.preprocess.vision.night import build_night

        own = FeatureConfig.model_validate(features.model_dump())
        return build_night(workspace, validated, held_out, own, protocol, cluster)


FEATURES = VisionFeatures()
