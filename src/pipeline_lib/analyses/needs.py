"""What an analysis needs and what shows its result; read when a run is planned, before anything is trained."""

from dataclasses import dataclass

SENTENCES = "pipeline_lib.models.sentence_vae:RNNLM"
CODES = "pipeline_lib.models.sentence_vae:CodedSentences"
SENTENCE_VAE = "pipeline_lib.models.sentence_vae:SentenceVAE"
CONTRASTS = "pipeline_lib.models.keywords_and_instances:KeywordsAndInstances"
PERSONAL = "pipeline_lib.models.persona_wae:PersonalAutoencoder"


@dataclass(frozen=True)
class Needs:
    """What an analysis of a trained system, or of a corpus, asks for."""

    table: str | None  # kind of table that shows its result; None: figures alone
    models: tuple[str, ...] = ()  # classes: the system's is one of them or derived from one; none: any system
    latent: bool = False  # the system must have a latent variable, and so a method `latent_use`
    fields: frozenset[str] = frozenset()  # that the system must read (`reads:`)
    continues: str | None = None  # kind of analysis that `of:` must name
    any_corpus: bool = False  # reads texts alone, which may be of another corpus (`corpus:`)
    of_corpus: bool = False  # is about a corpus, and reads no system
    decodes: bool = False  # lets the system respond to contexts
