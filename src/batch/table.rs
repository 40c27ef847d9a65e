//! The table of a running batch: written after every change, with the rows of other batches in the same folder.

use super::summary::{self, Row, SUMMARY_FILE};
use crate::error::Result;
use crate::pipeline::output::{Listed, OutputFolder};

/// `summary.csv` in an output folder.
pub struct Table<'f> {
    folder: &'f OutputFolder,
    listed: Listed<'f>,
    /// Of the scenes of this batch.
    rows: Vec<Row>,
    /// Of scenes of other batches, whose results are here.
    others: Vec<Row>,
}

impl<'f> Table<'f> {
    /// The table in `folder`, with `rows` for the scenes of this batch. An edited one is moved aside.
    ///
    /// # Errors
    /// A table of another origin, without `overwrite`; with it that is moved aside.
    pub fn begin(folder: &'f OutputFolder, rows: Vec<Row>, overwrite: bool) -> Result<Self> {
        let earlier = match summary::read(folder.path()) {
            Err(error) if !overwrite => return Err(error),
            earlier => earlier.ok().flatten().unwrap_or_default(),
        };
        let listed = Listed::read(folder, overwrite)?;
        // Earlier versions listed no table.
        let as_written = !listed.has(SUMMARY_FILE) && summary::is_as_written(folder.path(), &earlier);
        if !as_written {
            listed.make_way(SUMMARY_FILE)?;
        }
        let other = |row: &Row| rows.iter().all(|own| own.scene != row.scene) && folder.join(&row.scene).is_dir();
        let others = earlier.into_iter().filter(other).collect();
        Ok(Self { folder, listed, rows, others })
    }

    /// Puts `row` at `index`.
    ///
    /// # Errors
    /// The table cannot be written.
    pub fn put(&mut self, index: usize, row: Row) -> Result<()> {
        self.rows[index] = row;
        let all: Vec<&Row> = self.rows.iter().chain(&self.others).collect();
        summary::write(self.folder.path(), &all)?;
        self.listed.note([SUMMARY_FILE])
    }

    /// The rows of this batch.
    pub fn into_rows(self) -> Vec<Row> {
        self.rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Status;
    use std::fs;

    fn done(scene: &str) -> Row {
        Row { status: Status::Done, psnr: Some(20.5), ..Row::waiting(scene) }
    }

    fn run(folder: &OutputFolder, scenes: &[&str]) -> Vec<String> {
        let rows = scenes.iter().map(|scene| Row::waiting(scene)).collect();
        let mut table = Table::begin(folder, rows, false).unwrap();
        for (index, scene) in scenes.iter().enumerate() {
            fs::create_dir_all(folder.join(scene)).unwrap();
            table.put(index, done(scene)).unwrap();
        }
        assert_eq!(table.into_rows().len(), scenes.len());
        summary::read(folder.path()).unwrap().unwrap().into_iter().map(|row| row.scene).collect()
    }

    #[test]
    fn rows_of_other_batches_stay_as_long_as_their_results() {
        let dir = tempfile::tempdir().unwrap();
        let folder = OutputFolder::open(dir.path()).unwrap();
        assert_eq!(run(&folder, &["a", "b"]), ["a", "b"]);
        assert_eq!(run(&folder, &["c", "b"]), ["c", "b", "a"]);
        fs::remove_dir(folder.join("a")).unwrap();
        assert_eq!(run(&folder, &["d"]), ["d", "c", "b"]);
        assert!(!folder.occupied("summary.csv.bak"));
    }

    #[test]
    fn an_edited_table_is_moved_aside() {
        let dir = tempfile::tempdir().unwrap();
        let folder = OutputFolder::open(dir.path()).unwrap();
        let path = folder.join(SUMMARY_FILE);
        run(&folder, &["a"]);
        let text = fs::read_to_string(&path).unwrap();
        // A column more, and another value; the second also where no list is.
        let mut lines = text.lines();
        let remarks = format!("{},remarks\n{},blurry\n", lines.next().unwrap(), lines.next().unwrap());
        fs::write(&path, &remarks).unwrap();
        assert_eq!(run(&folder, &["b"]), ["b", "a"]);
        assert_eq!(fs::read_to_string(folder.join("summary.csv.bak")).unwrap(), remarks);
        let value = fs::read_to_string(&path).unwrap().replace("20.5", "30.5");
        fs::write(&path, &value).unwrap();
        run(&folder, &["b"]);
        assert_eq!(fs::read_to_string(folder.join("summary.csv.bak2")).unwrap(), value);
        // Of an earlier version: without a list.
        fs::remove_file(folder.join("results.json")).unwrap();
        run(&folder, &["b"]);
        fs::remove_file(folder.join("results.json")).unwrap();
        fs::write(&path, &remarks).unwrap();
        run(&folder, &["b"]);
        assert_eq!(fs::read_to_string(folder.join("summary.csv.bak3")).unwrap(), remarks);
        // Of somebody else.
        fs::write(&path, "name,mark\nAnna,1\n").unwrap();
        assert!(Table::begin(&folder, vec![done("a")], false).is_err());
        drop(Table::begin(&folder, vec![done("a")], true).unwrap());
        assert_eq!(fs::read_to_string(folder.join("summary.csv.bak4")).unwrap(), "name,mark\nAnna,1\n");
    }
}
