//! The console, asked like a browser asks it, without sockets.

mod components;
mod doors;
mod site;
mod texts;
