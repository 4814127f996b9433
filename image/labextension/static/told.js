// Copyright (c) Workhorse contributors. BSD-3-Clause.
//
// Tells by the browser's own notification that a long cell has ended, while nobody looks at its page: switched on by the
// person, in the Settings menu.
//
// Where anything here fails, JupyterLab goes on as it does without it.

// Whoever runs a shorter cell waits for it.
const LONG_MS = 60 * 1000;
const LINE_MAX = 200;
// Of a text, in which the last line is looked for.
const END = 10000;
// Of this browser's own, beside its permission, which a page can't give back.
const SWITCH = 'workhorse:notify';
const KILLED = new Set(['autorestarting', 'dead']);

const DENIED = "This browser doesn't let this page notify you: allow it in the settings beside the address.";

const isOn = () => localStorage.getItem(SWITCH) === 'on' && Notification.permission === 'granted';

/** Switches on, where the browser's question is answered so, or off; says which. */
async function change() {
  const permission = isOn() ? 'off' : await Notification.requestPermission();
  localStorage.setItem(SWITCH, permission === 'granted' ? 'on' : 'off');
  return permission;
}

function tell(panel, outcome, cell) {
  if (!document.hidden || !isOn()) {
    return;
  }
  try {
    const name = panel.context.path.split('/').pop();
    const notification = new Notification(`${name}: ${outcome}`, { body: lastLine(cell), tag: panel.id });
    notification.onclick = () => {
      window.focus();
      notification.close();
    };
  } catch {
    // On Android a page has none of its own.
  }
}

/** The last one that a cell has put out. */
function lastLine(cell) {
  const { outputs: all } = cell.model;
  const outputs = all ? [all.length - 2, all.length - 1].filter(each => each >= 0).map(each => all.get(each).toJSON()) : [];
  const lines = outputs.flatMap(({ ename, evalue, text, data = {} }) =>
    (ename ? `${ename}: ${evalue}` : [text || data['text/plain'] || ''].flat().join('').slice(-END)).trim().split('\n')
  );
  // Colours, and what has no picture.
  const plain = lines.map(line => line.replace(/\x1b\[[0-?]*[ -/]*[@-~]/g, '').replace(/\p{C}/gu, ''));
  return (plain.filter(Boolean).pop() || '').slice(0, LINE_MAX);
}

/** The cells of one notebook that run or wait for their turn, and since when the first of them does. */
class Running {
  constructor() {
    this.cells = new Set();
    this.since = 0;
  }

  begin(cell) {
    if (!this.cells.size) {
      this.since = Date.now();
    }
    this.cells.add(cell);
  }

  /** How long the first has run; from now on the next does. */
  end(cell) {
    this.cells.delete(cell);
    const milliseconds = Date.now() - this.since;
    this.since = Date.now();
    return milliseconds;
  }
}

function follow(tracker, NotebookActions) {
  const running = new WeakMap();
  const of = notebook => running.get(notebook) || running.set(notebook, new Running()).get(notebook);

  NotebookActions.executionScheduled.connect((_, { notebook, cell }) => of(notebook).begin(cell));
  NotebookActions.executed.connect((_, { notebook, cell, success }) => {
    const panel = tracker.find(each => each.content === notebook);
    if (of(notebook).end(cell) > LONG_MS && panel) {
      tell(panel, success ? 'done' : 'failed', cell);
    }
  });
  const watch = panel =>
    panel.sessionContext.statusChanged.connect((_, status) => {
      const { cells } = of(panel.content);
      const [cell] = cells;
      if (cell && KILLED.has(status)) {
        const milliseconds = of(panel.content).end(cell);
        cells.clear();
        if (milliseconds > LONG_MS) {
          tell(panel, 'killed', cell);
        }
      }
    });
  tracker.forEach(watch);
  tracker.widgetAdded.connect((_, panel) => watch(panel));
}

export async function told(shared) {
  const [{ INotebookTracker, NotebookActions }, { ICommandPalette, Notification: Toast }, { IMainMenu }] =
    await Promise.all(['@jupyterlab/notebook', '@jupyterlab/apputils', '@jupyterlab/mainmenu'].map(shared));
  const command = 'workhorse:notify';
  return {
    id: command,
    description: "Tells by the browser's notification when a cell of more than a minute ends.",
    autoStart: true,
    requires: [INotebookTracker],
    optional: [IMainMenu, ICommandPalette],
    activate: ({ commands }, tracker, menu, palette) => {
      if (!('Notification' in window)) {
        return;
      }
      commands.addCommand(command, {
        label: 'Notify Me When Long Cells End',
        caption: 'By the browser, while this page is not in view',
        isToggled: isOn,
        execute: async () => {
          if ((await change()) === 'denied') {
            Toast.warning(DENIED, { autoClose: 10000 });
          }
          commands.notifyCommandChanged(command);
        }
      });
      menu?.settingsMenu.addGroup([{ command }], 50);
      palette?.addItem({ command, category: 'Notebook Operations' });
      follow(tracker, NotebookActions);
    }
  };
}
