// Copyright (c) Workhorse contributors. BSD-3-Clause.
//
// What is open in a page and was changed on the disk, by a laptop in step or any other program: an untouched document
// shows the new text by itself, one with unsaved changes says so before anything is overwritten. JupyterLab by itself
// looks only when it saves.
//
// remoteEntry.js, which loads this, says how such a file is written.

const LOOK_MS = 2000;
const BUSY = new Set(['busy', 'starting', 'restarting', 'autorestarting']);

const seconds = time => Math.floor(Date.parse(time) / 1000);

/** Which documents are open, each once: a notebook may have several views. */
function openDocuments(shell, manager) {
  const contexts = new Map();
  for (const widget of shell.widgets('main')) {
    const context = manager.contextForWidget(widget);
    if (context && !context.isDisposed) {
      contexts.set(context, [...(contexts.get(context) || []), widget]);
    }
  }
  return contexts;
}

/** How long an output is: pictures of megabytes need not be kept twice to see whether there are others. */
function lengths({ data, streamText }) {
  const length = value => (typeof value === 'string' ? value : JSON.stringify(value)).length;
  return [streamText?.text?.length, Object.values(data).map(length)];
}

/** What is changed by a person or a run. JupyterLab calls a notebook changed when its kernel's version is another, too. */
function fingerprint(model) {
  const of = ({ type, sharedModel, metadata, executionCount, outputs }) => {
    const shown = Array.from({ length: outputs?.length || 0 }, (_, index) => lengths(outputs.get(index)));
    return [type, sharedModel.getSource(), metadata, executionCount, shown];
  };
  return model.cells && JSON.stringify(Array.from(model.cells, of));
}

/** A running cell's output comes into the cell that is there: in another's place it would be lost. */
function isBusy(context) {
  return BUSY.has(context.sessionContext?.session?.kernel?.status);
}

/** Reads a document anew, and leaves the person where they are in it. */
async function revert(context, widgets) {
  const places = widgets.map(({ content }) => ({
    content,
    cell: content.activeCellIndex,
    top: content.outerNode?.scrollTop,
    cursor: content.editor?.getCursorPosition?.()
  }));
  await context.revert();
  for (const { content, cell, top, cursor } of places) {
    if (cell >= 0 && content.widgets?.length) {
      content.activeCellIndex = Math.min(cell, content.widgets.length - 1);
    }
    if (cursor) {
      content.editor.setCursorPosition(cursor);
    }
    if (top) {
      requestAnimationFrame(() => content.outerNode.scrollTo({ top }));
    }
  }
}

/** Follows what lies on the disk, for as long as the page is looked at. */
class Watch {
  constructor(contents, documents, tell, untell) {
    this.contents = contents;
    this.documents = documents;
    this.tell = tell;
    this.untell = untell;
    // What was last read or saved, what is being saved, and of which change the person has been told.
    this.kept = new WeakMap();
    this.saving = new WeakMap();
    this.followed = new WeakSet();
    this.told = new WeakMap();
  }

  async look() {
    for (const [context, widgets] of this.documents()) {
      if (this.kept.has(context)) {
        await this.compare(context, widgets).catch(error => console.debug('workhorse:', error));
      }
    }
  }

  /** From when a document is opened, since what is typed soon after counts. */
  follow() {
    for (const context of this.documents().keys()) {
      if (!this.followed.has(context)) {
        this.followed.add(context);
        context.ready.then(() => this.keep(context, fingerprint(context.model))).catch(() => undefined);
        context.saveState.connect((_, state) => this.noteSave(context, state));
      }
    }
  }

  keep(context, print) {
    this.kept.set(context, print);
    this.untell(this.told.get(context)?.notice);
    this.told.delete(context);
  }

  /** Between the save of this page's own and its answer, the disk is ahead. */
  noteSave(context, state) {
    if (state === 'started') {
      this.saving.set(context, fingerprint(context.model));
      return;
    }
    if (state !== 'failed') {
      this.keep(context, this.saving.get(context));
    }
    this.saving.delete(context);
  }

  isUntouched(context) {
    const { model } = context;
    if (isBusy(context)) {
      return false;
    }
    return model.cells ? fingerprint(model) === this.kept.get(context) : !model.dirty;
  }

  async revert(context, widgets) {
    await revert(context, widgets);
    this.keep(context, fingerprint(context.model));
  }

  async compare(context, widgets) {
    const known = context.contentsModel?.last_modified;
    if (!known || this.saving.has(context)) {
      return;
    }
    const { last_modified: found } = await this.contents.get(context.path, { content: false });
    const isOvertaken = context.isDisposed || this.saving.has(context) || context.contentsModel.last_modified !== known;
    if (isOvertaken || found === known) {
      return;
    }
    if (this.isUntouched(context)) {
      await this.revert(context, widgets);
    } else if (this.told.get(context)?.found !== found) {
      this.untell(this.told.get(context)?.notice);
      this.told.set(context, { found, notice: await this.tell(context, widgets, found) });
    }
  }
}

/** By whom, as the door knows it of laptops; what else writes into the folder has no name. */
async function changedBy({ baseUrl, fetch }, path, found) {
  try {
    const address = `${baseUrl}workhorse/changed-by?path=${encodeURIComponent(path)}`;
    const { device, time } = await (await fetch(new Request(address, { cache: 'no-store' }))).json();
    return seconds(time) === seconds(found) ? device : null;
  } catch {
    return null;
  }
}

/**
 * JupyterLab's own question at a save, "File Changed", has "Revert" under Enter, which loses what was typed: none of the
 * two that lose something is preselected (@jupyterlab/docregistry 4.6, context.ts, _timeConflict).
 */
function preselectCancel({ prototype }) {
  const attach = prototype.onAfterAttach;
  prototype.onAfterAttach = function (message) {
    const actions = this._buttons.flatMap(each => each.actions);
    const cancel = this._buttons.findIndex(each => !each.accept);
    if (actions.includes('overwrite') && actions.includes('revert') && cancel >= 0) {
      this._defaultButton = cancel;
      this._primary = this._buttonNodes[cancel];
    }
    attach.call(this, message);
  };
}

export async function changedFiles(shared) {
  const [{ IDocumentManager }, { Dialog, Notification }] = await Promise.all(
    ['@jupyterlab/docmanager', '@jupyterlab/apputils'].map(shared)
  );
  return {
    id: 'workhorse:changed-files',
    description: 'Shows in open documents what was changed on the disk.',
    autoStart: true,
    requires: [IDocumentManager],
    activate: ({ shell, serviceManager: { contents, serverSettings } }, manager) => {
      preselectCancel(Dialog);
      const tell = async (context, widgets, found) => {
        const device = await changedBy(serverSettings, contents.localPath(context.path), found);
        const name = context.localPath.split('/').pop();
        const by = device ? `on ${device}` : 'by another program';
        const text = `${name} was changed ${by}, and has unsaved changes here. Nothing is overwritten before you say so.`;
        const actions = [
          { label: `Show what was changed ${by}`, callback: () => watch.revert(context, widgets) },
          { label: 'Go on with mine', callback: () => undefined }
        ];
        return Notification.warning(text, { autoClose: false, actions });
      };
      const untell = notice => notice && Notification.dismiss(notice);
      const watch = new Watch(contents, () => openDocuments(shell, manager), tell, untell);
      let looking = null;
      const look = () => {
        if (!document.hidden && !looking) {
          looking = watch.look().finally(() => {
            looking = null;
          });
        }
      };
      shell.layoutModified?.connect(() => watch.follow());
      setInterval(() => {
        watch.follow();
        look();
      }, LOOK_MS);
      document.addEventListener('visibilitychange', look);
    }
  };
}
