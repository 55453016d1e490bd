use askama::filters::HtmlSafe;
use std::fmt;

macro_rules! icons {
    ($($(#[$doc:meta])* $name:ident = $drawing:literal;)+) => {
        /// A picture of 16 by 16, drawn in the colour of the text around it. It means nothing by
        /// itself: a word stands beside it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Icon { $($(#[$doc])* $name,)+ }

        impl Icon {
            /// Every icon.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            fn drawing(self) -> &'static str {
                match self { $(Self::$name => $drawing,)+ }
            }
        }
    };
}

// Strokes of 1.5 on a grid of 16.
icons! {
    /// a tick in a circle
    Check = r#"<circle cx="8" cy="8" r="6.25"/><path d="m5.25 8.25 2 2 3.5-4.25"/>"#;
    /// an i in a circle
    Info = r#"<circle cx="8" cy="8" r="6.25"/><path d="M8 7.5v3.25M8 5v.25"/>"#;
    /// an exclamation mark in a triangle
    Warning = r#"<path d="M8 2.25 14.25 13.5H1.75Z"/><path d="M8 6.5v3M8 11.5v.1"/>"#;
    /// a cross in an octagon
    Stop = r#"<path d="M5.4 1.75h5.2l3.65 3.65v5.2l-3.65 3.65H5.4L1.75 10.6V5.4Z"/><path d="m6 6 4 4m0-4-4 4"/>"#;
    /// a bar in a circle
    Pause = r#"<circle cx="8" cy="8" r="6.25"/><path d="M6.5 6v4m3-4v4"/>"#;
    /// a dashed circle
    Idle = r#"<circle cx="8" cy="8" r="6.25" stroke-dasharray="2.5 2"/><path d="M5.5 8h5"/>"#;
    /// a clock
    Clock = r#"<circle cx="8" cy="8" r="6.25"/><path d="M8 4.5V8l2.25 1.5"/>"#;
    /// a magnifying glass
    Search = r#"<circle cx="7" cy="7" r="4.5"/><path d="m10.5 10.5 3.5 3.5"/>"#;
    /// four squares
    Overview = r#"<path d="M2 2h5v5H2zM9 2h5v5H9zM2 9h5v5H2zM9 9h5v5H9z"/>"#;
    /// a chip
    Device = r#"<rect x="4" y="4" width="8" height="8" rx="1"/><path d="M6 1.5V4m4-2.5V4M6 12v2.5m4-2.5v2.5M1.5 6H4m-2.5 4H4m8-4h2.5M12 10h2.5"/>"#;
    /// lines with ticks
    Jobs = r#"<path d="m1.75 4 1.25 1.25L5 3M1.75 9.5 3 10.75 5 8.5M7.5 4.5h6.75M7.5 10h6.75"/>"#;
    /// a building
    Organisation = r#"<path d="M2.5 14.25V3.5l6-1.75v12.5M8.5 6h5v8.25M1 14.25h14M5.5 5.75v.1m0 2.9v.1m0 2.9v.1M11 8.75v.1m0 2.9v.1"/>"#;
    /// a box
    Product = r#"<path d="M8 1.75 14 5v6l-6 3.25L2 11V5ZM2 5l6 3.25L14 5M8 8.25v6"/>"#;
    /// a key
    Key = r#"<circle cx="5" cy="11" r="3.25"/><path d="m7.5 8.5 6-6M11 5l2.25 2.25M9 7l1.5 1.5"/>"#;
    /// two persons
    People = r#"<circle cx="6" cy="5" r="2.75"/><path d="M1 14c0-3 2.25-4.75 5-4.75S11 11 11 14M11 2.5a2.75 2.75 0 0 1 0 5m1.5 2.25c1.5.65 2.5 2.1 2.5 4.25"/>"#;
    /// a person
    Person = r#"<circle cx="8" cy="5" r="3"/><path d="M2.5 14.25c0-3 2.5-5 5.5-5s5.5 2 5.5 5"/>"#;
    /// two ticks
    Approval = r#"<path d="m1.5 8.5 3 3.25 5.5-7M8 11l.75.75L14.5 4.5"/>"#;
    /// a page with lines
    Audit = r#"<path d="M3 1.75h7L13 5v9.25H3ZM5.5 6h3m-3 2.75h5m-5 2.75h5"/>"#;
    /// links of a chain
    Log = r#"<path d="M6.75 9.25a3 3 0 0 0 4.25 0l2.25-2.25A3 3 0 0 0 9 2.75L8 3.75M9.25 6.75a3 3 0 0 0-4.25 0L2.75 9A3 3 0 0 0 7 13.25l1-1"/>"#;
    /// a book
    Book = r#"<path d="M8 3.5C6.5 2.4 4.25 2 1.75 2.25v10.5C4.25 12.5 6.5 13 8 14c1.5-1 3.75-1.5 6.25-1.25V2.25C11.75 2 9.5 2.4 8 3.5ZM8 3.5V14"/>"#;
    /// a flag on a way
    Guide = r#"<path d="M3.5 14.5V2m0 .5h8.75L10.5 5.75l1.75 3.25H3.5"/>"#;
    /// a door with an arrow
    SignOut = r#"<path d="M6.5 2H2.75v12H6.5M10.5 4.75 13.75 8l-3.25 3.25M13.5 8H6"/>"#;
    /// two sheets
    Copy = r#"<rect x="5.25" y="5.25" width="8.5" height="8.5" rx="1"/><path d="M2.5 10.5V2.75h7.75"/>"#;
    /// an arrow down on a line
    Download = r#"<path d="M8 2v8m-3.25-3L8 10.25 11.25 7M2.5 13.5h11"/>"#;
    /// a plus
    Add = r#"<path d="M8 2.5v11M2.5 8h11"/>"#;
    /// an arrow to the left
    Previous = r#"<path d="M10 3 5 8l5 5"/>"#;
    /// an arrow to the right
    Next = r#"<path d="m6 3 5 5-5 5"/>"#;
    /// three lines
    Menu = r#"<path d="M2 4h12M2 8h12M2 12h12"/>"#;
    /// a globe
    Language = r#"<circle cx="8" cy="8" r="6.25"/><path d="M1.75 8h12.5M8 1.75c-4 4-4 8.500 0 12.5 4-4 4-8.500 0-12.5Z"/>"#;
    /// half a disc
    Theme = r#"<circle cx="8" cy="8" r="6.25"/><path fill="currentColor" d="M8 1.75a6.25 6.25 0 0 1 0 12.5Z"/>"#;
    /// a seal
    Seal = r#"<path d="m8 1.5 1.75 1.25 2.150.1.7 2.050 1.65 1.350L13.500 8l.75 1.75-1.65 1.350-.7 2.050-2.150.1L8 14.500l-1.75-1.250-2.150-.1-.7-2.050L1.750 9.750 2.500 8l-.75-1.750L3.400 4.900l.7-2.050 2.150-.1Z"/><path d="m5.500 8 1.750 1.750L10.500 6.500"/>"#;
    /// a list with ticks on a board
    Diagnosis = r#"<path d="M5.750 3H3v11.250h10V3h-2.750M5.750 1.750h4.500v2.500h-4.500ZM5.500 9.250l1.750 1.750 3.250-4"/>"#;
    /// a gate
    Gate = r#"<path d="M2.500 14.250V3.250L8 1.750l5.500 1.500v11M2.500 7h11M2.500 10.500h11M6.250 7v7.250m3.500-7.250v7.250"/>"#;
    /// a tag
    Release = r#"<path d="M2 2.25h5.5L14 8.750 8.500 14.250 2 7.750Z"/><path d="M5 5.250v.1"/>"#;
    /// stairs
    Campaign = r#"<path d="M1.750 13.750h3.500V9.500h-3.500Zm4.500 0h3.500V6h-3.500Zm4.500 0h3.500V2.250h-3.500Z"/>"#;
    /// a shield with an exclamation mark
    Vulnerability = r#"<path d="M8 1.500 13.500 3.500v4.250c0 3.250-2.250 5.500-5.500 6.750-3.250-1.250-5.500-3.500-5.500-6.750V3.500Z"/><path d="M8 4.750v3.500M8 10.750v.1"/>"#;
    /// an arrow in a circle
    Again = r#"<path d="M13.500 8a5.500 5.500 0 1 1-1.750-4M12.250 1.500v2.750H9.500"/>"#;
    /// a leaf out of a frame
    External = r#"<path d="M9.500 2.500H13.500V6.500M13.250 2.750 7.500 8.500M6.500 3.500H2.500V13.500H12.500V9.500"/>"#;
}

impl fmt::Display for Icon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "<svg class=\"icon\" viewBox=\"0 0 16 16\" width=\"16\" height=\"16\" fill=\"none\" \
             stroke=\"currentColor\" stroke-width=\"1.5\" stroke-linecap=\"round\" \
             stroke-linejoin=\"round\" aria-hidden=\"true\" focusable=\"false\">{}</svg>",
            self.drawing()
        )
    }
}

impl HtmlSafe for Icon {}
