"""The features of speech, as `tasks.preprocess.features` asks for them."""

from __future__ import annotations

from pydantic import BaseModel

from data_contracts.night import HeldOut, Night, Protocol, Validated, Workspace
from tasks.preprocess.speech.config import FeatureConfig


class SpeechFeatures:
    """Recordings as log-mel frames, and the numbers of characters."""

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
        """See `tasks.preprocess.speech.night`, which is imported when it is needed: settings need it not."""
        from tasks.preprocess.speech.night import build_night

        own = FeatureConfig.model_validate(features.model_dump())
        return build_night(workspace, validated, held_out, own, protocol, cluster)


FEATURES = SpeechFeatures()
