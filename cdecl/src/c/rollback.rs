//! Undoing the effects of a text.

use super::declarations::{Change, Declarations, Entry, Mark};
use super::error::Result;
use super::names::NameId;
use super::room::trim;
use super::types::{Enum, Record};
use farcall_memory::{OutOfMemory, TryVec};

impl Declarations {
    /// Runs `work`, and undoes its effects if it fails.
    pub(super) fn whole<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.within(work, |outcome| outcome.is_ok())
    }

    /// Runs `work` and always undoes its effects. Types that `work` returns are not valid afterwards.
    pub fn in_passing<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        self.within(work, |_| false)
    }

    fn within<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> T,
        is_kept: impl FnOnce(&T) -> bool,
    ) -> T {
        let mark = self.mark();
        let outer = self.journal.mark.replace(mark);
        let outcome = work(self);
        if !is_kept(&outcome) {
            self.take_back(mark);
        }
        self.journal.mark = outer;
        if outer.is_none() {
            self.journal.changes = Vec::new();
            self.trim();
        }
        outcome
    }

    /// Frees memory if much more is reserved than is in use.
    fn trim(&mut self) {
        self.names.trim();
        self.types.trim();
        self.trim_derived();
        trim(&mut self.records);
        trim(&mut self.fields);
        trim(&mut self.by_name);
        trim(&mut self.enums);
        trim(&mut self.functions);
        trim(&mut self.variables);
        trim(&mut self.renamed);
        self.constants.trim();
    }

    fn mark(&self) -> Mark {
        Mark {
            names: self.names.len(),
            types: self.types.mark(),
            records: self.records.len(),
            fields: self.fields.len(),
            by_name: self.by_name.len(),
            enums: self.enums.len(),
            functions: self.functions.len(),
            variables: self.variables.len(),
            renamed: self.renamed.len(),
            constants: self.constants.mark(),
            changes: self.journal.changes.len(),
        }
    }

    fn take_back(&mut self, mark: Mark) {
        while self.journal.changes.len() > mark.changes {
            match self.journal.changes.pop() {
                Some(Change::Meaning(name, before)) => self.names.set_meaning(name, before),
                Some(Change::Record(index, before)) => self.records[index as usize] = before,
                Some(Change::Enum(index, before)) => self.enums[index as usize] = before,
                Some(Change::Function(index, before)) => self.functions[index as usize] = before,
                Some(Change::Variable(index, before)) => self.variables[index as usize] = before,
                None => break,
            }
        }
        self.truncate_types(mark.types.types);
        self.types.truncate(&mark.types);
        self.names.truncate(mark.names);
        self.records.truncate(mark.records);
        self.fields.truncate(mark.fields);
        self.by_name.truncate(mark.by_name);
        self.enums.truncate(mark.enums);
        self.functions.truncate(mark.functions);
        self.variables.truncate(mark.variables);
        self.renamed.truncate(mark.renamed);
        self.constants.truncate(&mark.constants);
    }

    /// Records a value that is about to change, unless the undo removes it as a whole.
    fn note(
        &mut self,
        is_older: impl FnOnce(&Mark) -> bool,
        change: impl FnOnce(&Self) -> Change,
    ) -> std::result::Result<(), OutOfMemory> {
        match &self.journal.mark {
            Some(mark) if is_older(mark) => {
                let change = change(self);
                self.journal.changes.try_push(change)
            }
            _ => Ok(()),
        }
    }

    pub(super) fn note_meaning(&mut self, name: NameId) -> std::result::Result<(), OutOfMemory> {
        self.note(
            |mark| name.place() < mark.names,
            |c| Change::Meaning(name, c.names.meaning(name)),
        )
    }

    /// A structure, for a change.
    pub(super) fn record_mut(
        &mut self,
        index: u32,
    ) -> std::result::Result<&mut Record, OutOfMemory> {
        let place = index as usize;
        self.note(
            |mark| place < mark.records,
            |c| Change::Record(index, c.records[place].clone()),
        )?;
        Ok(&mut self.records[place])
    }

    /// An enumeration, for a change.
    pub(super) fn enum_mut(&mut self, index: u32) -> std::result::Result<&mut Enum, OutOfMemory> {
        let place = index as usize;
        self.note(
            |mark| place < mark.enums,
            |c| Change::Enum(index, c.enums[place].clone()),
        )?;
        Ok(&mut self.enums[place])
    }

    /// A function, for a change.
    pub(super) fn function_mut(
        &mut self,
        index: u32,
    ) -> std::result::Result<&mut Entry, OutOfMemory> {
        let place = index as usize;
        self.note(
            |mark| place < mark.functions,
            |c| Change::Function(index, c.functions[place]),
        )?;
        Ok(&mut self.functions[place])
    }

    /// A variable, for a change.
    pub(super) fn variable_mut(
        &mut self,
        index: u32,
    ) -> std::result::Result<&mut Entry, OutOfMemory> {
        let place = index as usize;
        self.note(
            |mark| place < mark.variables,
            |c| Change::Variable(index, c.variables[place]),
        )?;
        Ok(&mut self.variables[place])
    }
}
