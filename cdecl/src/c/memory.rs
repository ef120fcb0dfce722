//! The memory that declarations take.

use super::declarations::Declarations;
use super::room::reserved;

impl Declarations {
    /// The memory that all declarations take, in bytes, including reserved memory.
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
