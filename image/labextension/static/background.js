// Copyright (c) Workhorse contributors. BSD-3-Clause.
//
// Sends a notebook to run without this page: in a terminal, where it can be seen and ended, by `workhorse run`.

// What a terminal would take for the end of its line, or worse.
const CONTROL = /\p{Cc}/u;

const quoted = name => `'./${name.replaceAll("'", "'\\''")}'`;

export async function background(shared) {
  const [{ INotebookTracker }, { ICommandPalette }, { IMainMenu }] = await Promise.all(
    ['@jupyterlab/notebook', '@jupyterlab/apputils', '@jupyterlab/mainmenu'].map(shared)
  );
  const command = 'workhorse:run-in-background';
  return {
    id: command,
    description: 'Runs a notebook without a page, into a copy beside it.',
    autoStart: true,
    requires: [INotebookTracker],
    optional: [IMainMenu, ICommandPalette],
    activate: ({ commands, serviceManager: { contents } }, tracker, menu, palette) => {
      commands.addCommand(command, {
        label: 'Run in the Background',
        caption: 'All cells, in a kernel of its own; what comes out goes into a copy beside the notebook',
        // Other drives are none of this server's.
        isEnabled: () => {
          const path = tracker.currentWidget?.context.path;
          return Boolean(path) && !contents.driveName(path) && !CONTROL.test(path);
        },
        execute: async () => {
          const { context } = tracker.currentWidget;
          if (context.model.dirty) {
            await context.save();
          }
          const folders = context.path.split('/');
          const name = folders.pop();
          const { content } = await commands.execute('terminal:create-new', { cwd: folders.join('/') });
          content.session.send({ type: 'stdin', content: [`workhorse run ${quoted(name)}\r`] });
        }
      });
      menu?.runMenu.addGroup([{ command }], 50);
      palette?.addItem({ command, category: 'Notebook Operations' });
    }
  };
}
