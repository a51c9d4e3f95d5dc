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

/// A `Report` is the whole page. All texts are plain: whatever they hold is escaped.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The heading of the page.
    pub title: String,
    /// The introduction, in a few sentences; a blank line starts a new paragraph.
    pub intro: String,
    /// The name of a section and that of several, such as `Experiment` and `Experiments`.
    pub nouns: [&'static str; 2],
    /// The sections, in order. What their environments share is also said once at the top.
    pub sections: Vec<Section>,
}

/// A `Section` is one part of the report, with its figures and results.
#[derive(Clone, Debug, Default)]
pub struct Section {
    /// The short name, which is also the anchor.
    pub name: String,
    /// The lead, which says what the section is about; a blank line starts a new paragraph.
    pub lead: String,
    /// The name and value of what to see first. Each name is a column of the overview at the top of
    /// the page, and the values also stand below the lead.
    pub summary: Vec<(String, String)>,
    /// The origin of the data, in words.
    pub source: String,
    /// A warning of what to beware of with these data; it comes first and changes the colours.
    pub warning: String,
    /// The SHA-256 of the data, if there is any.
    pub sha256: String,
    /// The figures, in order.
    pub figures: Vec<ReportFigure>,
    /// The results, in order.
    pub results: Vec<Block>,
    /// The name and value of every setting.
    pub settings: Vec<(String, Setting)>,
    /// The name and duration of every step, with its unit.
    pub timings: Vec<(String, String)>,
    /// The names and values of the environment: version, revision, machine, threads.
    pub environment: Vec<(String, String)>,
    /// The label and address, relative to the page, of the files with the numbers.
    pub links: Vec<(String, String)>,
}

/// A `Block` is a part of a section's results.
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
        /// The text of the line.
        title: String,
        /// The extent of the table, as the line says it.
        extent: String,
        /// Whether the table is shown at first.
        open: bool,
        /// The table below the line.
        table: Table,
    },
}

/// A `Setting` is a value, or names and values.
#[derive(Clone, Debug)]
pub enum Setting {
    /// One value.
    Text(String),
    /// Several values with names, as a list of their own.
    Group(Vec<(String, Setting)>),
}
