//! Components escape what they are given, and the page that shows all of them.

use console::{
    chart::{Bars, Chart, OverTime, Series, Shape, Share, Spark},
    i18n::{Language, Locale},
    ui::{
        Badge, Button, ButtonKind, Choice, Command, Empty, Entry, Field, Fingerprint, Icon,
        Message, Node, Pager, Tab, Tabs, Term, Tile, Timeline, Tone, Tree,
    },
};
use crypto::UnixTime;

const EVIL: &str = "<script>alert(1)</script>\"'&";

fn locale() -> Locale {
    Locale::new(Language::En)
}

fn chart() -> Chart {
    Chart {
        t: locale(),
        id: "verdicts",
        title: EVIL.to_owned(),
        description: EVIL.to_owned(),
        category: EVIL.to_owned(),
        categories: vec![EVIL.to_owned(), "b".to_owned(), "c".to_owned()],
        series: vec![
            Series::new(EVIL, vec![1, 20, 3]).tone(Tone::Good),
            Series::new("two", vec![4, 0, 12_345]),
        ],
    }
}

/// Every component, given hostile text everywhere.
fn all() -> Vec<(&'static str, String)> {
    let t = locale();
    let when = t.time(UnixTime(1_795_239_360));
    let mut entry = Entry::new(Tone::Warn, when, EVIL);
    entry.who = Some(EVIL.to_owned());
    entry.href = Some(format!("/devices/{EVIL}"));
    entry.badges = vec![Badge::new(Tone::Bad, EVIL)];
    entry.facts = vec![(EVIL.to_owned(), EVIL.to_owned())];
    let choices = || vec![Choice::new(EVIL, EVIL), Choice::new("b", "B")];
    let fields = [
        Field::text(t, "a", EVIL).value(EVIL).hint(EVIL).error(Some(EVIL.to_owned())).required(),
        Field::area(t, "b", EVIL).value(EVIL).optional(),
        Field::select(t, "c", EVIL, choices()).value(EVIL),
        Field::radios(t, "d", EVIL, choices()).value("b").error(Some(EVIL.to_owned())),
        Field::checkboxes(t, "e", EVIL, choices()).value("b"),
        Field::checkbox(t, "f", EVIL).value("yes"),
    ];
    let tab = |current| Tab {
        label: EVIL.to_owned(),
        href: EVIL.to_owned(),
        current,
        count: Some(EVIL.to_owned()),
    };
    let mut shown = vec![
        ("badge", Badge::new(Tone::Good, EVIL).to_string()),
        ("button", Button::new(ButtonKind::Primary, EVIL).value("x", EVIL).to_string()),
        ("link", Button::new(ButtonKind::Quiet, EVIL).link(EVIL).icon(Icon::Add).to_string()),
        ("command", Command::new(t, EVIL).to_string()),
        ("empty", Empty::new(Icon::Device, EVIL, EVIL).to_string()),
        ("fingerprint", Fingerprint::new(t, EVIL).to_string()),
        ("message", Message::new(Tone::Bad, EVIL).title(EVIL).to_string()),
        ("pager", Pager::new(t, Some(EVIL.to_owned()), Some(EVIL.to_owned())).to_string()),
        ("tabs", Tabs::new(EVIL, vec![tab(true), tab(false)]).to_string()),
        ("term", Term::new("pki", EVIL, EVIL).to_string()),
        (
            "tile",
            Tile::new(EVIL, EVIL).link(EVIL).note(EVIL).spark(Spark(vec![1, 2, 0])).to_string(),
        ),
        ("timeline", Timeline::new(vec![entry.clone(), entry]).to_string()),
        (
            "tree",
            Tree::new(vec![
                Node::new(EVIL)
                    .note(EVIL)
                    .link(EVIL)
                    .badge(Badge::new(Tone::Bad, EVIL))
                    .part(Node::new(EVIL)),
            ])
            .to_string(),
        ),
        ("bars", Bars(chart()).to_string()),
        ("share", Share(chart()).to_string()),
    ];
    for shape in [Shape::Stacked, Shape::Lines, Shape::Columns] {
        shown.push(("over time", OverTime { shape, axis: Vec::new(), chart: chart() }.to_string()));
    }
    shown.extend(fields.into_iter().map(|field| ("field", field.to_string())));
    shown
}

#[test]
fn hostile_text_stays_text() {
    for (name, html) in all() {
        assert!(!html.contains("<script"), "{name}: {html}");
        assert!(!html.contains("\"'&"), "{name}: an attribute can be left: {html}");
        assert!(!html.contains(" style="), "{name}: {html}");
    }
}

#[test]
fn tags_are_closed_in_order() {
    const VOID: &[&str] = &["input", "br", "hr", "img", "meta", "link", "path", "circle", "rect"];
    for (name, html) in all() {
        let mut open: Vec<&str> = Vec::new();
        for rest in html.split('<').skip(1) {
            let (tag, _) = rest.split_once('>').unwrap_or_else(|| panic!("{name}: {html}"));
            if let Some(closed) = tag.strip_prefix('/') {
                assert_eq!(open.pop(), Some(closed), "{name}: {html}");
            } else if !tag.ends_with('/') {
                let word = tag.split([' ', '\n']).next().unwrap();
                if !VOID.contains(&word) || html.contains(&format!("</{word}>")) && word == "rect" {
                    open.push(word);
                }
            }
        }
        assert!(open.is_empty(), "{name}: {open:?} stay open in {html}");
    }
}

#[test]
fn a_chart_has_title_description_and_its_data() {
    let html = OverTime { shape: Shape::Stacked, axis: Vec::new(), chart: chart() }.to_string();
    for part in ["<title id=\"verdicts-title\">", "<desc id=\"verdicts-desc\">", "<table", "12,345"]
    {
        assert!(html.contains(part), "{part} is not in {html}");
    }
    assert!(html.contains("role=\"img\" aria-labelledby=\"verdicts-title verdicts-desc\""));
}

#[test]
fn an_empty_chart_is_a_chart() {
    let nothing = Chart { categories: Vec::new(), series: Vec::new(), ..chart() };
    for shape in [Shape::Stacked, Shape::Lines, Shape::Columns] {
        let html = OverTime { shape, axis: Vec::new(), chart: nothing.clone() }.to_string();
        assert!(!html.contains("NaN") && !html.contains("inf"), "{html}");
    }
    assert!(!Bars(nothing.clone()).to_string().contains("NaN"));
    assert!(!Share(nothing).to_string().contains("NaN"));
    assert!(!Spark(Vec::new()).to_string().contains("NaN"));
}

#[test]
fn every_tone_has_an_icon_of_its_own() {
    let icons: Vec<_> = Tone::ALL.iter().map(|tone| tone.icon()).collect();
    for (at, icon) in icons.iter().enumerate() {
        assert!(!icons[..at].contains(icon), "{icon:?} stands for two tones");
    }
    let drawings: std::collections::BTreeSet<_> =
        Icon::ALL.iter().map(ToString::to_string).collect();
    assert_eq!(drawings.len(), Icon::ALL.len(), "two icons look alike");
}
