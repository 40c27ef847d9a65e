//! Files dropped onto a window the way a file manager does it (XDND, version 5).

use crate::desktop::Desktop;
use std::path::Path;
use x11rb::connection::Connection;
use x11rb::protocol::Event;
use x11rb::protocol::xproto::{
    ClientMessageEvent, ConnectionExt as _, CreateWindowAux, EventMask, PropMode, SELECTION_NOTIFY_EVENT,
    SelectionNotifyEvent, SelectionRequestEvent, Window, WindowClass,
};
use x11rb::wrapper::ConnectionExt as _;
use x11rb::{CURRENT_TIME, atom_manager};

atom_manager! {
    Atoms: AtomsCookie {
        XdndEnter,
        XdndPosition,
        XdndStatus,
        XdndDrop,
        XdndFinished,
        XdndSelection,
        XdndActionCopy,
        UriList: b"text/uri-list",
    }
}

/// Drags `file` onto the window `target` and lets it go there.
pub fn drop_on(desktop: &Desktop, target: Window, file: &Path) {
    let (connection, screen) = x11rb::connect(Some(desktop.display())).unwrap();
    let atoms = Atoms::new(&connection).unwrap().reply().unwrap();
    let root = connection.setup().roots[screen].root;
    let source = connection.generate_id().unwrap();
    let hidden = CreateWindowAux::new();
    connection.create_window(0, source, root, 0, 0, 1, 1, 0, WindowClass::INPUT_ONLY, 0, &hidden).unwrap();
    connection.set_selection_owner(source, atoms.XdndSelection, CURRENT_TIME).unwrap();
    let tell = |kind, data: [u32; 5]| {
        let message = ClientMessageEvent::new(32, target, kind, data);
        connection.send_event(false, target, EventMask::NO_EVENT, message).unwrap();
        connection.flush().unwrap();
    };
    tell(atoms.XdndEnter, [source, 5 << 24, atoms.UriList, 0, 0]);
    tell(atoms.XdndPosition, [source, 0, 100 << 16 | 100, CURRENT_TIME, atoms.XdndActionCopy]);
    let (mut accepted, mut asked) = (false, false);
    loop {
        match connection.wait_for_event().unwrap() {
            Event::ClientMessage(message) if message.type_ == atoms.XdndStatus => {
                accepted = message.data.as_data32()[1] & 1 == 1;
                assert!(accepted, "the window takes files");
            }
            Event::SelectionRequest(request) => {
                hand_over(&connection, &request, file);
                asked = true;
            }
            Event::ClientMessage(message) if message.type_ == atoms.XdndFinished => return,
            _ => continue,
        }
        if accepted && asked {
            tell(atoms.XdndDrop, [source, 0, CURRENT_TIME, 0, 0]);
        }
    }
}

/// Answers the question of what is dragged.
fn hand_over(connection: &impl Connection, request: &SelectionRequestEvent, file: &Path) {
    let SelectionRequestEvent { time, requestor, selection, target, property, .. } = *request;
    let uris = format!("file://{}\r\n", file.display());
    connection.change_property8(PropMode::REPLACE, requestor, property, target, uris.as_bytes()).unwrap();
    let response_type = SELECTION_NOTIFY_EVENT;
    let answer = SelectionNotifyEvent { response_type, sequence: 0, time, requestor, selection, target, property };
    connection.send_event(false, requestor, EventMask::NO_EVENT, answer).unwrap();
    connection.flush().unwrap();
}
