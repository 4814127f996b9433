// Copyright (c) Workhorse contributors. BSD-3-Clause.
//
// Shows in a notebook that is opened, or whose page was away, what its cells have put out meanwhile: those that are
// done, those that still run and go on, and those that wait for input. The server keeps it (entrypoint/recorder).
//
// Where anything here fails, JupyterLab goes on as it does without it.

const attempt = async action => {
  try {
    return await action();
  } catch (error) {
    console.warn('workhorse:', error);
  }
};

// What changes often, as a progress bar, is asked for no more often than it can be seen.
const PAUSE_MS = 300;
// While a connection is silent, the server is asked again, each time after twice as long.
const SILENCE_MS = 1000;
const SILENCE_MS_MAX = 32 * 1000;
// Between two pieces of a text, and how many times as long as the last one took to be shown.
const PIECE_MS = 100;
const PIECE_TIMES = 4;
const pause = (milliseconds = PAUSE_MS) => new Promise(resolve => setTimeout(resolve, milliseconds));

/** What is shown in a cell of a run that this page didn't ask for, or has lost sight of. */
class Follower {
  constructor(notebook, refresh) {
    this.notebook = notebook;
    this.refresh = refresh;
    // By the id of the request: the cell, the messages that it shows already, and its execution count.
    this.runs = new Map();
    // What comes while the server is being asked.
    this.early = null;
    // By cell: the id of what was asked last.
    this.asked = new WeakMap();
  }

  /** Takes down the messages from now on, until `show` says which of them are shown already. */
  hold() {
    this.early = this.early || [];
  }

  show(runs, session) {
    const early = this.early || [];
    this.early = null;
    this.runs.forEach(run => this.spill(run));
    this.runs.clear();
    for (const run of runs) {
      attempt(() => this.showRun(run, session));
    }
    early.forEach(message => this.take(message));
  }

  showRun(run, session) {
    const cell = this.cellOf(run);
    const future = cell && cell.outputArea.future;
    const isOwn = future && !future.isDisposed && !run.is_missed;
    // What this page has asked for itself, it is told.
    if (!cell || isOwn || (run.session === session && !run.is_missed)) {
      return;
    }
    if (future) {
      future.dispose();
    }
    setOutputs(cell, run);
    if (!run.prompt) {
      closePrompts(cell);
    }
    const { model } = cell;
    if (run.state === 'ended') {
      model.executionCount = run.count;
      model.executionState = 'idle';
      return;
    }
    model.executionState = 'running';
    this.runs.set(run.id, { cell, seen: new Set(run.recent), count: run.count });
    if (run.prompt) {
      this.ask(cell, run.prompt);
    }
  }

  /** The cell, if it holds what was run. */
  cellOf({ cell, code }) {
    const found = this.notebook.widgets.find(({ model }) => model.type === 'code' && model.id === cell);
    return found && found.model.sharedModel.getSource() === code ? found : null;
  }

  /** Takes a message of the kernel's. */
  take(message) {
    const { header, parent_header: parent, content } = message;
    if (this.early) {
      this.early.push(message);
      return;
    }
    const run = this.runs.get(parent.msg_id);
    if (!run || run.cell.isDisposed || run.seen.has(header.msg_id)) {
      return;
    }
    const { cell } = run;
    const { outputs } = cell.model;
    if (header.msg_type === 'stream') {
      this.gather(run, content);
      return;
    }
    this.spill(run);
    switch (header.msg_type) {
      case 'display_data':
      case 'execute_result':
      case 'error': {
        const { transient, ...output } = content;
        closePrompts(cell);
        outputs.add({ ...output, output_type: header.msg_type });
        // A display may be changed later, which only the server can tell where.
        break;
      }
      case 'clear_output':
        outputs.clear(content.wait);
        break;
      case 'update_display_data':
        this.refresh();
        break;
      case 'execute_input':
        run.count = content.execution_count;
        break;
      case 'input_request':
        this.ask(cell, message);
        break;
      case 'status':
        if (content.execution_state === 'idle') {
          cell.model.executionCount = run.count;
          cell.model.executionState = 'idle';
          this.runs.delete(parent.msg_id);
        }
        break;
    }
  }

  /** JupyterLab goes through all of a text for each piece that is added to it: so many pieces are made few. */
  gather(run, { name, text }) {
    if (run.gathered?.name !== name) {
      this.spill(run);
      run.gathered = { name, text: '' };
    }
    run.gathered.text += text;
    run.timer ??= setTimeout(() => this.spill(run), run.pause ?? PIECE_MS);
  }

  spill(run) {
    const { cell, gathered } = run;
    clearTimeout(run.timer);
    run.timer = run.gathered = null;
    if (gathered && !cell.isDisposed) {
      const begin = performance.now();
      closePrompts(cell);
      cell.model.outputs.add({ ...gathered, output_type: 'stream' });
      const shown = () => (run.pause = Math.max(PIECE_MS, PIECE_TIMES * (performance.now() - begin)));
      requestAnimationFrame(() => setTimeout(shown));
    }
  }

  /** What is asked already stays as it is: somebody may have begun to answer. */
  ask(cell, request) {
    const { msg_id: id } = request.header;
    if (prompts(cell).length && this.asked.get(cell) === id) {
      return;
    }
    closePrompts(cell);
    this.asked.set(cell, id);
    const sendInputReply = (content, parent) => this.kernel.sendInputReply(content, parent);
    cell.outputArea.onInputRequest(request, { sendInputReply });
  }

  /** Of a kernel that is gone, nothing comes any more. */
  end() {
    for (const run of this.runs.values()) {
      this.spill(run);
      run.cell.model.executionState = 'idle';
    }
    this.runs.clear();
  }
}

/** Leaves alone what is shown already: a notebook that is only looked at stays as it was saved. */
function setOutputs(cell, run) {
  const { model } = cell;
  const kept = run.outputs.map(plain);
  const shown = model.outputs.toJSON().map((output, index) => withoutStill(plain(output), kept[index]));
  if (JSON.stringify(shown) !== JSON.stringify(kept)) {
    model.trusted = true;
    model.outputs.fromJSON(run.outputs);
  }
}

// What plotly's and vega's parts of a page add to an output themselves, once they have drawn it.
const STILL = 'image/png';

/** An output that is shown, without a still that isn't the kernel's. */
function withoutStill(shown, kept) {
  if (!shown.data || !kept?.data || STILL in kept.data) {
    return shown;
  }
  const { [STILL]: still, ...data } = shown.data;
  return { ...shown, data };
}

/** An output with its names in one order, and its text in one piece. */
function plain(value) {
  if (Array.isArray(value)) {
    return value.every(each => typeof each === 'string') ? value.join('') : value.map(plain);
  }
  if (value && typeof value === 'object') {
    return Object.fromEntries(Object.keys(value).sort().map(name => [name, plain(value[name])]));
  }
  return value;
}

function prompts(cell) {
  return cell.outputArea.widgets.filter(widget => widget.hasClass('jp-OutputArea-stdin-item'));
}

/** Somebody has answered elsewhere. */
function closePrompts(cell) {
  prompts(cell).forEach(widget => widget.dispose());
}

/** One open notebook. */
class Panel {
  constructor(panel, serverSettings, request) {
    Object.assign(this, { panel, serverSettings, request });
    this.follower = new Follower(panel.content, () => this.refresh());
    this.connect = this.connect.bind(this);
    this.onMessage = (_, { msg, direction }) => direction === 'recv' && attempt(() => this.take(msg));
    this.onStatus = (_, status) => status === 'connected' && this.begin();
    panel.sessionContext.kernelChanged.connect(this.connect);
    this.connect();
  }

  /** Another kernel, or the first. */
  connect() {
    const { session } = this.panel.sessionContext;
    const kernel = session && session.kernel;
    if (kernel === this.kernel) {
      return;
    }
    this.follower.end();
    this.kernel = this.follower.kernel = kernel;
    if (kernel) {
      kernel.anyMessage.connect(this.onMessage);
      kernel.connectionStatusChanged.connect(this.onStatus);
      kernel.statusChanged.connect((_, status) => /restarting|dead/.test(status) && this.follower.end());
      if (kernel.connectionStatus === 'connected') {
        this.begin();
      }
    }
  }

  /**
   * A connection is there before it hears what a busy kernel puts out (ZeroMQ's guide, "slow joiner"): what falls in between
   * only the server can tell. So it is asked again once something is heard, and while nothing is.
   */
  begin() {
    this.hears = false;
    this.silence = SILENCE_MS;
    this.refresh();
    this.wake?.();
  }

  take(message) {
    if (!this.hears && message.channel === 'iopub') {
      this.hears = true;
      if (this.asking || this.follower.runs.size) {
        this.refresh();
        this.wake?.();
      }
    }
    this.follower.take(message);
  }

  async listen() {
    if (this.follower.runs.size && !this.hears && this.silence <= SILENCE_MS_MAX) {
      const heard = new Promise(resolve => {
        this.wake = resolve;
      });
      await Promise.race([pause(this.silence), heard]);
      this.silence *= 2;
      this.wanted = this.wanted || !this.hears;
    }
  }

  /** Asks what the cells have put out, once at a time. */
  refresh() {
    this.wanted = true;
    if (!this.asking) {
      this.asking = attempt(() => this.ask()).finally(() => {
        this.asking = null;
      });
    }
  }

  async ask() {
    await this.panel.context.ready;
    while (this.wanted && this.kernel && !this.panel.isDisposed) {
      this.wanted = false;
      this.follower.hold();
      let runs = [];
      const { id, clientId } = this.kernel;
      const { context } = this.panel;
      const { hash } = context.contentsModel || {};
      try {
        const url = `${this.serverSettings.baseUrl}api/kernels/${encodeURIComponent(id)}/runs?hash=${hash || ''}`;
        const answer = await this.request(url, {}, this.serverSettings);
        if (answer.ok) {
          const told = await answer.json();
          runs = told.runs;
          // The server has put them into the file; or JupyterLab would take it for somebody else's change.
          if (told.written && context._contentsModel) {
            Object.assign(context._contentsModel, told.written);
          }
        }
      } finally {
        this.follower.show(runs, clientId);
      }
      await pause();
      await this.listen();
    }
  }
}

/** The plugin, made of what JupyterLab has loaded already. */
export async function recorder(shared) {
  const [{ INotebookTracker }, { ServerConnection }] = await Promise.all(
    ['@jupyterlab/notebook', '@jupyterlab/services'].map(shared)
  );
  return {
    id: 'workhorse:recorder',
    description: 'Shows what cells have put out while no page was there.',
    autoStart: true,
    requires: [INotebookTracker],
    activate: ({ serviceManager: { serverSettings } }, tracker) => {
      tracker.widgetAdded.connect((_, panel) => {
        attempt(async () => {
          await panel.context.ready;
          await panel.sessionContext.ready;
          return new Panel(panel, serverSettings, ServerConnection.makeRequest);
        });
      });
    }
  };
}
