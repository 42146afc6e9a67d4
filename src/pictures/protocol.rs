//! Which way to draw a terminal understands.

use std::io::{IsTerminal, stdout};

use clap::ValueEnum;

use crate::display::takes_controls;

/// What the command line says of pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Wanted {
    /// As the terminal can, by what it says of itself in the environment: else by half blocks, if it has colours.
    #[default]
    Auto,
    /// kitty's protocol, also of Ghostty.
    Kitty,
    /// iTerm2's protocol, also of WezTerm, Konsole, mintty.
    Iterm,
    /// Sixel, as of foot, mlterm, contour, xterm -ti vt340, Windows Terminal.
    Sixel,
    /// Half blocks in colours.
    Blocks,
    /// Draw nothing.
    None,
}

/// A way to draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// PNG in kitty's commands.
    Kitty,
    /// PNG in iTerm2's.
    Iterm,
    /// Sixels.
    Sixel,
    /// Half blocks, in any of 2²⁴ colours or in 256.
    Blocks {
        /// Whether any colour is understood.
        true_color: bool,
    },
}

impl Protocol {
    /// How standard output is drawn on; none where it is no terminal.
    pub(crate) fn of(wanted: Wanted, colors: bool) -> Option<Protocol> {
        if !stdout().is_terminal() {
            return None;
        }
        let environment = |name: &str| std::env::var(name).unwrap_or_default();
        choose(wanted, colors, takes_controls(), &environment)
    }
}

fn choose(wanted: Wanted, colors: bool, obeys: bool, environment: &dyn Fn(&str) -> String) -> Option<Protocol> {
    let blocks = || {
        let depth = environment("COLORTERM");
        Protocol::Blocks { true_color: depth.contains("truecolor") || depth.contains("24bit") }
    };
    match wanted {
        Wanted::None => None,
        Wanted::Kitty => Some(Protocol::Kitty),
        Wanted::Iterm => Some(Protocol::Iterm),
        Wanted::Sixel => Some(Protocol::Sixel),
        Wanted::Blocks => Some(blocks()),
        Wanted::Auto if !obeys => None,
        Wanted::Auto => known(environment).or_else(|| colors.then(blocks)),
    }
}

/// By the names that terminals go by. Multiplexers pass no protocol on, and the names of the terminal around them.
fn known(environment: &dyn Fn(&str) -> String) -> Option<Protocol> {
    let [term, program, other] = ["TERM", "TERM_PROGRAM", "LC_TERMINAL"].map(environment);
    let has = |name: &str| !environment(name).is_empty();
    if has("TMUX") || has("STY") || has("ZELLIJ") {
        return None;
    }
    if ["xterm-kitty", "xterm-ghostty"].contains(&term.as_str()) || program == "ghostty" || has("KITTY_WINDOW_ID") {
        return Some(Protocol::Kitty);
    }
    let iterm = ["iTerm.app", "WezTerm", "mintty", "rio", "WarpTerminal"];
    if iterm.contains(&program.as_str()) || other.starts_with("iTerm") || has("KONSOLE_VERSION") {
        return Some(Protocol::Iterm);
    }
    let sixel = ["foot", "mlterm", "contour", "yaft"].iter().any(|name| term.starts_with(name));
    (sixel || term.contains("sixel")).then_some(Protocol::Sixel)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(wanted: Wanted, colors: bool, obeys: bool, variables: &[(&str, &str)]) -> Option<Protocol> {
        let variable = |name: &str| variables.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value);
        choose(wanted, colors, obeys, &|name| variable(name).to_owned())
    }

    #[test]
    fn terminals_are_known_by_their_names() {
        let auto = |variables: &[(&str, &str)]| chosen(Wanted::Auto, true, true, variables);
        let plain = Protocol::Blocks { true_color: false };
        for (variables, expected) in [
            ([("TERM", "xterm-kitty"), ("", "")], Protocol::Kitty),
            ([("TERM", "xterm-256color"), ("TERM_PROGRAM", "ghostty")], Protocol::Kitty),
            ([("TERM", "xterm-256color"), ("TERM_PROGRAM", "WezTerm")], Protocol::Iterm),
            ([("TERM", "xterm-256color"), ("LC_TERMINAL", "iTerm2")], Protocol::Iterm),
            ([("TERM", "foot-extra"), ("", "")], Protocol::Sixel),
            ([("TERM", "xterm-256color"), ("COLORTERM", "truecolor")], Protocol::Blocks { true_color: true }),
            ([("TERM", "xterm-256color"), ("", "")], plain),
            ([("TERM", "tmux-256color"), ("KITTY_WINDOW_ID", "1")], Protocol::Kitty),
        ] {
            assert_eq!(auto(&variables), Some(expected), "{variables:?}");
        }
        assert_eq!(auto(&[("KITTY_WINDOW_ID", "1"), ("TMUX", "/tmp/tmux")]), Some(plain));
    }

    #[test]
    fn what_cannot_be_drawn_is_not_and_what_is_asked_for_is() {
        assert_eq!(chosen(Wanted::Auto, true, false, &[("TERM", "dumb")]), None);
        assert_eq!(chosen(Wanted::Auto, false, true, &[("TERM", "xterm")]), None, "half blocks are colours");
        assert_eq!(chosen(Wanted::Auto, false, true, &[("TERM", "foot")]), Some(Protocol::Sixel));
        assert_eq!(chosen(Wanted::None, true, true, &[("TERM", "foot")]), None);
        assert_eq!(chosen(Wanted::Kitty, false, false, &[]), Some(Protocol::Kitty));
    }
}
