//! `Applied`: what there is to say of a configuration that was put in force.

/// A configuration was put in force.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Applied {
    /// Names that the configuration speaks of and nobody has registered, such as those with a slip of the pen. What it says
    /// of them holds once they are registered.
    pub unregistered: Vec<String>,
}
