//! Why weights cannot be imported.

use sightline::network::ArchitectureError;

/// Why a file's weights become no package, in the words of whoever imports them.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// The file is no container of weights that can be read.
    #[error("{0}")]
    Container(String),
    /// The file's tensors are of no network that there is.
    #[error("{0}")]
    Misfit(String),
    /// The file does not tell what its outputs or pixels mean.
    #[error("{0}")]
    Meaning(String),
    /// A value is no number, or far too large.
    #[error("{0}; the weights are damaged, or their training failed")]
    Damaged(String),
    /// There is no such network.
    #[error(transparent)]
    Architecture(#[from] ArchitectureError),
    /// What comes of it would be refused.
    #[error("the package would be refused: {0}")]
    Refused(String),
}
