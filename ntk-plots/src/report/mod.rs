//! The report: figures, tables, names and values on one HTML page that needs nothing beside itself.
//!
//! ```
//! use ntk_plots::report::{Block, Column, Kind, Report, Section, Table};
//!
//! let columns = vec![
//!     Column::new("Substance", Kind::Name, ["water", "mercury"]),
//!     Column::new("Melts at", Kind::Number, ["273.15", "234.3"]),
//! ];
//! let table = Table { label: "melting points".into(), columns, ..Table::default() };
//! let section = Section {
//!     name: "melting".into(),
//!     lead: "When does it melt?".into(),
//!     results: vec![Block::Table(table)],
//!     ..Section::default()
//! };
//! let report = Report { title: "Matter".into(), sections: vec![section], ..Report::default() };
//! assert!(report.html().contains("234<span"));
//! ```

mod figure;
mod page;
mod table;

pub use figure::ReportFigure;
pub use table::{Column, Kind, Table};

/// The whole page. All texts are plain: whatever they hold is escaped.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Heading of the page.
    pub title: String,
    /// What the page is, in a few sentences; a blank line starts a new paragraph.
    pub intro: String,
    /// What a section is called and what several are, such as `Experiment` and `Experiments`.
    pub nouns: [&'static str; 2],
    /// The sections, in order. What their environments share is also said once at the top.
    pub sections: Vec<Section>,
}

/// One section of the report.
#[derive(Clone, Debug, Default)]
pub struct Section {
    /// Short name; also its anchor.
    pub name: String,
    /// What it is about; a blank line starts a new paragraph.
    pub lead: String,
    /// Name and value of what to see first. Each name is a column of the overview at the top of
    /// the page, and the values also stand below the lead.
    pub summary: Vec<(String, String)>,
    /// Where the data comes from, in words.
    pub source: String,
    /// What to beware of with these data; it comes first and changes the colours.
    pub warning: String,
    /// SHA-256 of the data, if there is any.
    pub sha256: String,
    /// The figures, in order.
    pub figures: Vec<ReportFigure>,
    /// What was found.
    pub results: Vec<Block>,
    /// Name and value of every setting.
    pub settings: Vec<(String, Setting)>,
    /// Name and duration of every step, with its unit.
    pub timings: Vec<(String, String)>,
    /// Name and value: version, revision, machine, threads.
    pub environment: Vec<(String, String)>,
    /// Label and address, relative to the page, of the files with the numbers.
    pub links: Vec<(String, String)>,
}

/// A part of a section's results.
#[derive(Clone, Debug)]
pub enum Block {
    /// A heading for what follows.
    Heading(String),
    /// A paragraph.
    Text(String),
    /// A table.
    Table(Table),
    /// A table below a line that shows and hides it.
    Folded {
        /// The line.
        title: String,
        /// What the line says of the table's extent.
        extent: String,
        /// Whether it is shown at first.
        open: bool,
        /// The table.
        table: Table,
    },
}

/// A value, or names and values.
#[derive(Clone, Debug)]
pub enum Setting {
    /// One value.
    Text(String),
    /// Values with names, as a list of their own.
    Group(Vec<(String, Setting)>),
}
