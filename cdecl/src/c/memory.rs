//! What all that has been declared takes of memory.

use super::declarations::Declarations;
use super::room::reserved;

impl Declarations {
    /// The bytes of memory that all that has been declared takes, those in reserve included.
    pub fn memory(&self) -> usize {
        self.names.reserved()
            + self.types.reserved()
            + self.derived.reserved()
            + reserved(&self.records)
            + reserved(&self.fields)
            + reserved(&self.by_name)
            + reserved(&self.enums)
            + reserved(&self.functions)
            + reserved(&self.variables)
            + reserved(&self.renamed)
            + self.constants.reserved()
    }
}
