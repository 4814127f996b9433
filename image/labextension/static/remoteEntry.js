// Copyright (c) Workhorse contributors. BSD-3-Clause.
//
// Keeps an open page going while the server is away for a moment, as when it is updated or gets another setting; and
// adds an entry to the launcher and one to the file browser.
//
// JupyterLab by itself shows a dialog at once, and may take half a minute to find its kernels after the server is back.
//
// How: JupyterLab asks the server through one object, its server settings, whose `fetch` and `WebSocket` may be others
// than the browser's. The `fetch` of this file holds back what can be asked again until the server answers, so that
// nothing of JupyterLab fails. A kernel's reconnection asks for the kernel first, so it goes on by itself just then.
// (A call of `reconnect()` from here would lose lines: JupyterLab tries again 10 to 30 seconds after a failed question,
// whatever has been reconnected in between; @jupyterlab/services 7.6, kernel/default.ts, getKernelModel.)
//
// It is written as browsers read it, and nothing builds it: JupyterLab loads a "container" of webpack's module
// federation, which is an object with `init` and `get` (webpack.js.org/concepts/module-federation). Where anything here
// fails, JupyterLab goes on as it does without it.
'use strict';
(() => {
  // Between two questions whether the server is back; not all pages ask at once.
  const ASK_MS = 1000;
  const JITTER_MS = 500;
  const LOGGED_OUT_ASK_MS = 3000;
  // For an answer: soon, since some are lost on the way while the server starts; and at last longer than the door waits
  // for a JupyterLab that is busy or absent.
  const ANSWER_MS = 5000;
  const ANSWER_MS_MAX = 40 * 1000;
  // What is over sooner nobody need know.
  const NOTICE_MS = 5000;
  const LONG_MS = 5 * 60 * 1000;
  const TRIES = 4;
  // What a kernel may take to be there at all; whoever is asked which one may take longer, and then runs the cell again.
  const KERNEL_MS = 60 * 1000;
  const UNASKED_BYTES_MAX = 1024 ** 3;
  // Of the repository's folder examples/.
  const EXAMPLES = [
    ['diabetes.ipynb', 'Data, a model, a plot'],
    ['long-run.ipynb', 'A long run, tab closed'],
    ['own-environment.ipynb', 'Your own environment'],
    ['larger-than-memory.ipynb', 'Larger than memory']
  ];

  // What does no harm when the server gets it twice (RFC 9110, section 9.2.2). A second DELETE would find nothing.
  const REPEATABLE = new Set(['GET', 'HEAD', 'PUT']);
  // Logged out (424 for a kernel, since JupyterLab takes a 403 for its death), or no JupyterLab behind the door. Each
  // may also be the answer to what was asked, so the server is asked which it is.
  const DOUBTFUL = new Set([401, 403, 424, 502, 503, 504]);

  // Settings with their schemas, words, language servers, kernels. JupyterLab adds the time to every address, so that no browser
  // keeps an answer (@jupyterlab/services 7.6, serverconnection.ts, handleRequest).
  const KEPT = ['lab/api/settings', 'lab/api/translations/default', 'lsp/status', 'api/kernelspecs'];
  const TIME = /[?&]\d{13}$/;

  // RFC 6455, section 7.4.1, and IANA's registry of close codes. After a 1001, which a logout brings, JupyterLab never
  // reconnects, and a terminal takes itself for connected.
  const NORMAL = 1000;
  const NO_STATUS = 1005; // this page's own Close
  const GOING_AWAY = 1001;
  const SERVICE_RESTART = 1012;

  const AWAY = 'The server is away for a moment. Your kernels run on, and this page goes on by itself.';
  const LONG_AWAY =
    'The server is still away. If your connection is up, run this where Workhorse is installed: docker compose up -d';
  const LOGGED_OUT = 'You are logged out; your kernels run on. Log in in another tab, then go on in this one.';
  const NOTICE_STYLE = {
    position: 'fixed',
    bottom: '3em',
    left: '50%',
    transform: 'translateX(-50%)',
    maxWidth: '32em',
    padding: '0.8em 1.2em',
    zIndex: 10000, // over JupyterLab's menus
    border: '1px solid var(--jp-warn-color1)',
    borderRadius: '4px',
    background: 'var(--jp-layout-color1)',
    color: 'var(--jp-ui-font-color1)',
    font: 'var(--jp-ui-font-size1) var(--jp-ui-font-family)'
  };

  const pause = (milliseconds, wake) =>
    new Promise(resolve => {
      const timer = setTimeout(resolve, milliseconds);
      wake(() => {
        clearTimeout(timer);
        resolve();
      });
    });

  /**
   * What the person is told while the server is away; never in the way, and gone when it is back. It isn't one of
   * JupyterLab's notifications: for the first of those JupyterLab asks the server for code.
   */
  class Notice {
    constructor(baseUrl) {
      const { pathname } = new URL('lab/extensions/workhorse/static/logged-in.html', baseUrl);
      this.loginUrl = `${baseUrl}login?next=${encodeURIComponent(pathname)}`;
      this.node = document.createElement('div');
      this.node.id = 'workhorse-notice';
      this.node.setAttribute('role', 'status');
      Object.assign(this.node.style, NOTICE_STYLE);
      this.tab = null;
    }

    show(text) {
      if (text && text !== this.text) {
        this.text = text;
        this.node.replaceChildren(text, ...(text === LOGGED_OUT ? [' ', this.loginLink()] : []));
        document.body.append(this.node);
      }
    }

    loginLink() {
      const link = document.createElement('a');
      link.textContent = 'Log in';
      link.href = this.loginUrl;
      link.style.textDecoration = 'underline';
      link.addEventListener('click', event => {
        event.preventDefault();
        this.tab = window.open(link.href, '_blank');
      });
      return link;
    }

    /** Closes the login's tab, too, which nobody needs any more. */
    hide() {
      this.node.remove();
      this.text = '';
      if (this.tab) {
        this.tab.close();
      }
      this.tab = null;
    }
  }

  /** Whether the server is there, and for whom it is not, when it is again. */
  class Server {
    constructor(ask, notice) {
      this.ask = ask;
      this.notice = notice;
      this.listeners = [() => notice.hide()];
      this.absence = null;
      this.wake = () => undefined;
      // Who comes back to the page, or to a network, need not wait; timers of a hidden page may be a minute late.
      for (const [target, event] of [[document, 'visibilitychange'], [window, 'focus'], [window, 'online']]) {
        target.addEventListener(event, () => this.wake());
      }
    }

    /** Resolves when the server is there, with whether it was away. */
    back() {
      if (!this.absence) {
        this.absence = this.watch().finally(() => {
          this.absence = null;
        });
      }
      return this.absence;
    }

    async watch() {
      const since = Date.now();
      let state = await this.ask();
      if (state === 'here') {
        return false;
      }
      while (state !== 'here') {
        this.tell(state, Date.now() - since);
        const milliseconds = (state === 'logged out' ? LOGGED_OUT_ASK_MS : ASK_MS) + Math.random() * JITTER_MS;
        await pause(milliseconds, wake => {
          this.wake = wake;
        });
        state = await this.ask();
      }
      this.listeners.forEach(listener => this.attempt(listener));
      return true;
    }

    tell(state, milliseconds) {
      const away = milliseconds > LONG_MS ? LONG_AWAY : milliseconds > NOTICE_MS ? AWAY : '';
      this.attempt(() => this.notice.show(state === 'logged out' ? LOGGED_OUT : away));
    }

    /** A failure to tell of it must not keep a page from going on. */
    attempt(action) {
      try {
        action();
      } catch (error) {
        console.warn('workhorse:', error);
      }
    }
  }

  /** Asks what only an answer of JupyterLab's own to somebody who is logged in can answer. */
  function question(fetch, baseUrl) {
    let patience = ANSWER_MS;
    return async () => {
      const hurry = new AbortController();
      const timer = setTimeout(() => hurry.abort(), patience);
      const options = { cache: 'no-store', credentials: 'same-origin', redirect: 'manual', signal: hurry.signal };
      try {
        const { ok, status, type } = await fetch(`${baseUrl}api/status?${Date.now()}`, options);
        const toLogin = type === 'opaqueredirect' || status === 401 || status === 403;
        patience = ANSWER_MS;
        return ok ? 'here' : toLogin ? 'logged out' : 'away';
      } catch {
        if (hurry.signal.aborted) {
          patience = Math.min(2 * patience, ANSWER_MS_MAX);
        }
        return 'away';
      } finally {
        clearTimeout(timer);
      }
    };
  }

  /** What `promise` becomes, unless the request is given up before. */
  function unlessAborted(promise, signal) {
    const aborted = new Promise((_, reject) => {
      const abort = () => reject(new DOMException('The request was given up.', 'AbortError'));
      signal.addEventListener('abort', abort, { once: true });
      if (signal.aborted) {
        abort();
      }
    });
    return Promise.race([promise, aborted]);
  }

  /** The token may be another after a login. */
  function renewed(request) {
    const token = document.cookie.split('; ').filter(each => each.startsWith('_xsrf=')).pop();
    const copy = request.clone();
    if (token && copy.headers.has('X-XSRFToken')) {
      copy.headers.set('X-XSRFToken', token.slice('_xsrf='.length));
    }
    return copy;
  }

  /** A `fetch` that waits for a server that is away, and asks again what can be asked again. */
  function patient(fetch, server) {
    return async (request, options) => {
      if (!(request instanceof Request) || options) {
        return fetch(request, options);
      }
      const again = REPEATABLE.has(request.method);
      for (let tries = 1; ; tries++) {
        if (server.absence) {
          await unlessAborted(server.absence, request.signal);
        }
        const last = !again || tries === TRIES;
        let response;
        try {
          response = await fetch(renewed(request));
        } catch (error) {
          const returned = server.back();
          if (last || request.signal.aborted) {
            throw error;
          }
          await unlessAborted(returned, request.signal);
          continue;
        }
        if (!DOUBTFUL.has(response.status)) {
          return response;
        }
        const returned = server.back();
        if (last || !(await unlessAborted(returned, request.signal))) {
          return response;
        }
      }
    };
  }

  /**
   * Asks for a folder's listing only if it is another than the one before: JupyterLab asks every ten seconds, and each
   * time by another address, so that the browser's own cache never helps.
   */
  function listedOnce(fetch, baseUrl) {
    const { pathname } = new URL('api/contents', baseUrl);
    let known = { address: '' };
    return async (request, ...options) => {
      const address = request instanceof Request && request.method === 'GET' && listingAddress(request.url, pathname);
      if (!address) {
        return fetch(request, ...options);
      }
      const asked = new Request(request);
      if (known.address === address) {
        asked.headers.set('If-None-Match', known.etag);
      }
      const response = await fetch(asked, ...options);
      if (response.status === 304 && known.address === address) {
        return new Response(known.text, { status: 200, headers: known.headers });
      }
      const etag = response.headers.get('ETag');
      if (response.status === 200 && etag) {
        known = { address, etag, headers: response.headers, text: await response.clone().text() };
      }
      return response;
    };
  }

  /**
   * Asks by one address for what is long and seldom another, so that the browser keeps it for the next visit and only
   * asks whether it still holds.
   */
  function keptByBrowser(fetch, baseUrl) {
    const kept = new Set(KEPT.map(path => new URL(path, baseUrl).pathname));
    return (request, ...options) => {
      if (!(request instanceof Request) || request.method !== 'GET' || !kept.has(new URL(request.url).pathname)) {
        return fetch(request, ...options);
      }
      const address = request.url.replace(TIME, '');
      return fetch(new Request(new Request(address, request), { cache: 'no-cache' }), ...options);
    };
  }

  /** Of a folder's listing, without what makes each question another; files are asked for by their type. */
  function listingAddress(url, contents) {
    const { pathname, searchParams } = new URL(url);
    const asks = searchParams.get('content') === '1' && !searchParams.get('type');
    return (pathname + '/').startsWith(contents + '/') && asks ? pathname : '';
  }

  /** Websockets whose end is noticed at once, and after which JupyterLab reconnects. */
  function watched(WebSocket, server) {
    return class extends WebSocket {
      constructor(...options) {
        super(...options);
        this.addEventListener('close', event => {
          if (event.code !== NORMAL && event.code !== NO_STATUS) {
            server.back();
          }
        });
      }

      get onclose() {
        return super.onclose;
      }

      set onclose(listener) {
        super.onclose = listener && (event => listener.call(this, asRestart(event)));
      }
    };
  }

  function asRestart(event) {
    const { code, reason, wasClean } = event;
    return code === GOING_AWAY ? new CloseEvent('close', { code: SERVICE_RESTART, reason, wasClean }) : event;
  }

  /** Terminals ask for nothing before they reconnect, and wait longer each time, so they are told. */
  function reconnectTerminals(tracker) {
    tracker.forEach(({ content: { session } }) => {
      if (!session.isDisposed && session.connectionStatus !== 'connected') {
        session.reconnect().catch(error => console.warn('workhorse:', error));
      }
    });
  }

  let shareScope;

  /** What the page has loaded of a package already; of its own it shares one version each. */
  async function shared(name) {
    const [version] = Object.values(shareScope[name]);
    return (await version.get())();
  }

  async function reconnection() {
    const [{ IConnectionLost }, { IServerSettings }] = await Promise.all(
      ['@jupyterlab/application', '@jupyterlab/services'].map(shared)
    );
    return {
      id: 'workhorse:reconnect',
      description: 'Keeps an open page going while the server is away for a moment.',
      autoStart: true,
      requires: [IServerSettings],
      provides: IConnectionLost,
      activate: (_app, settings) => {
        const { baseUrl, fetch, WebSocket } = settings;
        const plainFetch = (...options) => fetch.call(null, ...options);
        const server = new Server(question(plainFetch, baseUrl), new Notice(baseUrl));
        settings.fetch = keptByBrowser(listedOnce(patient(plainFetch, server), baseUrl), baseUrl);
        settings.WebSocket = watched(WebSocket, server);
        returned = listener => server.listeners.push(listener);
        // In place of the dialog.
        return async () => {
          await server.back();
        };
      }
    };
  }

  /** Apart from the other, which JupyterLab's own first plugin waits for. */
  async function terminals() {
    const { ITerminalTracker } = await shared('@jupyterlab/terminal');
    return {
      id: 'workhorse:terminals',
      description: 'Reconnects terminals as soon as the server is back.',
      autoStart: true,
      optional: [ITerminalTracker],
      activate: (_app, tracker) => tracker && returned(() => reconnectTerminals(tracker))
    };
  }

  /** An entry in the launcher: a terminal that makes the environment which a project's files ask for, and its kernel. */
  async function projectKernel() {
    const [{ ILauncher }, { kernelIcon }] = await Promise.all(
      ['@jupyterlab/launcher', '@jupyterlab/ui-components'].map(shared)
    );
    const command = 'workhorse:project-kernel';
    return {
      id: command,
      description: "Makes a kernel of a project's environment.yml, uv.lock, requirements.txt or pyproject.toml.",
      autoStart: true,
      optional: [ILauncher],
      activate: ({ commands }, launcher) => {
        if (!launcher) {
          return;
        }
        commands.addCommand(command, {
          label: 'Kernel for this folder',
          icon: kernelIcon,
          caption: 'By its environment.yml, uv.lock, requirements.txt or pyproject.toml',
          execute: async ({ cwd }) => {
            const { content } = await commands.execute('terminal:create-new', { cwd });
            content.session.send({ type: 'stdin', content: ['workhorse kernel\r'] });
          }
        });
        launcher.add({ command, category: 'Other' });
      }
    };
  }

  /** An entry in the file browser's context menu, where JupyterLab's own "Download" is for files alone. */
  async function folderDownload() {
    const [{ IFileBrowserFactory }, { downloadIcon }] = await Promise.all(
      ['@jupyterlab/filebrowser', '@jupyterlab/ui-components'].map(shared)
    );
    const command = 'workhorse:download-folder';
    return {
      id: command,
      description: 'Downloads a folder as an archive.',
      autoStart: true,
      optional: [IFileBrowserFactory],
      activate: ({ commands, contextMenu, serviceManager: { contents, serverSettings } }, factory) => {
        if (!factory) {
          return;
        }
        const { tracker } = factory;
        const selected = () => [...tracker.currentWidget.selectedItems()];
        commands.addCommand(command, {
          label: 'Download Folder as an Archive',
          icon: downloadIcon.bindprops({ stylesheet: 'menuItem' }),
          // Browsers open one tab for a click. Other drives are none of this server's.
          isVisible: () => selected().length === 1 && !contents.driveName(selected()[0].path),
          execute: () => {
            const path = selected()[0].path.split('/').map(encodeURIComponent).join('/');
            const hidden = tracker.currentWidget.showHiddenFiles ? '?hidden=1' : '';
            // It closes by itself once it is a download; a refusal is read in it.
            window.open(`${serverSettings.baseUrl}folders/${path}${hidden}`, '_blank', 'noopener');
          }
        });
        contextMenu.addItem({ command, selector: '.jp-DirListing-item[data-isdir="true"]', rank: 9 });
      }
    };
  }

  /** What JupyterLab asks before it deletes and uploads: how much is deleted, and nothing below a gigabyte. */
  async function questions() {
    const { DirListing, FileBrowserModel } = await shared('@jupyterlab/filebrowser');
    return {
      id: 'workhorse:questions',
      description: 'Says how much is deleted, and uploads a gigabyte without a question.',
      autoStart: true,
      activate: ({ serviceManager }) => {
        DirListing.prototype.delete = async function () {
          const { askAndDelete } = await later('deleting');
          await askAndDelete(this, shared, serviceManager);
        };
        const { _shouldUploadLarge: ask } = FileBrowserModel.prototype;
        FileBrowserModel.prototype._shouldUploadLarge = async function (file) {
          return file.size <= UNASKED_BYTES_MAX || ask.call(this, file);
        };
      }
    };
  }

  /** Notebooks to begin with, in the launcher; a click copies one into the notebooks' folder, or opens the copy. */
  async function examples() {
    const [{ ILauncher }, { notebookIcon }] = await Promise.all(
      ['@jupyterlab/launcher', '@jupyterlab/ui-components'].map(shared)
    );
    const command = 'workhorse:example';
    return {
      id: command,
      description: 'Offers notebooks to begin with.',
      autoStart: true,
      optional: [ILauncher],
      activate: ({ commands, serviceManager: { contents } }, launcher) => {
        commands.addCommand(command, {
          label: ({ title }) => title,
          caption: 'A copy of your own, in the folder examples',
          icon: notebookIcon,
          execute: async ({ name }) => {
            const { ownCopy } = await later('examples');
            await commands.execute('docmanager:open', { path: await ownCopy(name, contents) });
          }
        });
        EXAMPLES.forEach(([name, title], rank) => {
          launcher?.add({ command, category: 'Examples', args: { name, title }, rank });
        });
      }
    };
  }

  /**
   * Cells that wait for the kernel: a cell that is run before a notebook has found its own is else cleared, and that is all
   * (@jupyterlab/cells 4.6, widget.ts, CodeCell.execute).
   */
  async function waitingCells() {
    const [{ CodeCell }, { SessionContext }] = await Promise.all(['@jupyterlab/cells', '@jupyterlab/apputils'].map(shared));
    return {
      id: 'workhorse:waiting-cells',
      description: 'Runs cells that were run before the kernel was there.',
      autoStart: true,
      activate: () => {
        // Before it knows which kernels there are, JupyterLab asks the person for one; and two who start one at once, as the
        // page and a cell that is run, would start two (@jupyterlab/apputils 4.7, sessioncontext.ts, startKernel). A notebook
        // is shown before it is known which kernel it wants, or has (docregistry 4.6, context.ts, _populate): the page itself
        // starts one only then.
        const inTime = promise => Promise.race([promise, pause(KERNEL_MS, () => undefined)]);
        const starting = new WeakMap();
        const { startKernel, _startIfNecessary } = SessionContext.prototype;
        const known = new WeakMap();
        const preference = context => {
          if (!known.has(context)) {
            const wait = {};
            wait.promise = new Promise(resolve => {
              wait.over = resolve;
            });
            known.set(context, wait);
          }
          return known.get(context);
        };
        SessionContext.prototype._startIfNecessary = function () {
          preference(this).over();
          return _startIfNecessary.call(this);
        };
        const start = async context => {
          const ready = Promise.all([context.specsManager.ready, preference(context).promise]);
          await inTime(ready.catch(() => undefined));
          return context.session?.kernel ? false : startKernel.call(context);
        };
        SessionContext.prototype.startKernel = function () {
          if (!starting.has(this)) {
            starting.set(this, start(this).finally(() => starting.delete(this)));
          }
          return starting.get(this);
        };
        const execute = CodeCell.execute;
        CodeCell.execute = async (cell, context, ...more) => {
          if (context && !context.isReady && !context.isDisposed) {
            cell.setPrompt('*');
            await inTime(context.ready);
          }
          return execute(cell, context, ...more);
        };
      }
    };
  }

  /**
   * Shows files as soon as the layout's state is there. JupyterLab waits until it has saved that state, too, which it begins
   * half a second after the last change, and at each start much changes (@jupyterlab/apputils-extension 4.6, index.ts, state).
   */
  async function unwaiting() {
    const { IStateDB } = await shared('@jupyterlab/statedb');
    const LOADING = new Set(['apputils:load-statedb', 'apputils:reset-on-load']);
    return {
      id: 'workhorse:unwaiting',
      description: 'Shows files before the state of the layout is saved.',
      autoStart: true,
      optional: [IStateDB],
      activate: ({ commands }, state) => {
        const execute = commands.execute.bind(commands);
        commands.execute = (id, args) => {
          const saved = execute(id, args);
          // A copied layout is saved first, since the page is loaded anew.
          if (!state || !LOADING.has(id) || new URLSearchParams(args.search).has('clone')) {
            return saved;
          }
          return Promise.race([saved, state.list('').then(() => undefined)]);
        };
      }
    };
  }

  /**
   * Menus for fingers: they choose what a mouse was moved to last, and a finger that taps moves nothing (@lumino/widgets
   * 2.8, menu.ts, _evtPointerUp).
   */
  function touch() {
    return {
      id: 'workhorse:touch',
      description: 'Lets a finger choose from menus.',
      autoStart: true,
      activate: () => {
        const move = ({ pointerType, pointerId, target, clientX, clientY }) => {
          const item = pointerType !== 'mouse' && target instanceof Element && target.closest('.lm-Menu-item');
          if (item) {
            const there = { bubbles: true, pointerType, pointerId, clientX, clientY };
            item.dispatchEvent(new PointerEvent('pointermove', there));
          }
        };
        document.addEventListener('pointerdown', move, true);
      }
    };
  }

  /**
   * Entries for pages behind the same login: the server's own, which the door has, in the Help menu, and the cluster's in the
   * View menu, where one is on (compose/cluster.yml).
   */
  async function pages() {
    const [{ PageConfig }, { IMainMenu }] = await Promise.all(
      ['@jupyterlab/coreutils', '@jupyterlab/mainmenu'].map(shared)
    );
    return {
      id: 'workhorse:pages',
      description: "Opens the server's own page, and those of a cluster's scheduler.",
      autoStart: true,
      requires: [IMainMenu],
      activate: ({ commands, serviceManager: { serverSettings } }, { helpMenu, viewMenu }) => {
        const added = (command, path, about) => {
          commands.addCommand(command, {
            ...about,
            execute: () => {
              window.open(`${serverSettings.baseUrl}${path}`, '_blank', 'noopener');
            }
          });
          return [{ command }];
        };
        const caption = 'Devices that are logged in, what runs, disks, certificates, first steps';
        helpMenu.addGroup(added('workhorse:own-page', 'server', { label: 'About This Server', caption }), 0);
        if (PageConfig.getOption('workhorseCluster') === 'true') {
          viewMenu.addGroup(added('workhorse:cluster', 'dask/status', { label: 'Cluster Dashboard' }));
        }
      }
    };
  }

  /**
   * Renderers that are large and seldom needed, in the place of their extension's own, which the server holds back
   * (entrypoint/lab/held_back.py): JupyterLab would load each whole before it shows anything. How each is registered is as its
   * extension says it (@jupyterlab/rendermime-interfaces 3.14, IExtension).
   */
  const PLOTLY = 'application/vnd.plotly.v1+json';
  const RENDERERS = {
    'jupyterlab-plotly': {
      id: '@jupyterlab/plotly-extension:factory',
      mimeTypes: [PLOTLY],
      rank: 2,
      dataType: 'json',
      fileTypes: [{ name: 'plotly', mimeTypes: [PLOTLY], extensions: ['.plotly', '.plotly.json'] }],
      documentWidgetFactoryOptions: {
        name: 'Plotly',
        primaryFileType: 'plotly',
        fileTypes: ['plotly', 'json'],
        defaultFor: ['plotly']
      }
    }
  };

  async function renderers() {
    const [{ PageConfig }, { Panel }] = await Promise.all(['@jupyterlab/coreutils', '@lumino/widgets'].map(shared));
    const heldBack = JSON.parse(PageConfig.getOption('workhorseHeldBack') || '[]');
    return heldBack
      .filter(({ name }) => name in RENDERERS)
      .map(extension => {
        const { mimeTypes, ...registered } = RENDERERS[extension.name];
        const Renderer = loadedOnUse(Panel, extension);
        const rendererFactory = { safe: true, mimeTypes, createRenderer: options => new Renderer(options) };
        return { ...registered, rendererFactory };
      });
  }

  function loadedOnUse(Panel, extension) {
    return class extends Panel {
      constructor(options) {
        super();
        this.options = options;
      }

      async load() {
        const { rendererFactory } = await later('on-use');
        const factory = await rendererFactory(extension, new URL('../../', own), shareScope);
        const renderer = factory.createRenderer(this.options);
        this.addWidget(renderer);
        return renderer;
      }

      async renderModel(model) {
        this.loaded ??= this.load();
        const renderer = await this.loaded.catch(error => {
          this.loaded = undefined;
          throw error;
        });
        if (!this.isDisposed) {
          await renderer.renderModel(model);
        }
      }
    };
  }

  const own = new URL('.', document.currentScript.src);
  const later = name => import(new URL(`${name}.js`, own));

  /** What stands in files of their own, beside this one: asked for at once, while JupyterLab's own large parts are on their way. */
  const FILES = ['recorder', 'told', 'background', 'usage', 'changed-files'].map(name => [name, later(name)]);
  async function beside([name, loading]) {
    const module = await loading;
    return module[name.replace(/-(\w)/g, (_, letter) => letter.toUpperCase())](shared);
  }

  /** Adds what is to be done when the server is back. */
  let returned = () => undefined;

  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB.workhorse = {
    init: scope => {
      shareScope = scope;
    },
    get: async module => {
      if (module === './mimeExtension') {
        const exports = { __esModule: true, default: await renderers() };
        return () => exports;
      }
      // Jupyter Notebook's pages have no launcher, and some no terminals or files: each is without what it lacks.
      const here = [reconnection, terminals, projectKernel, folderDownload, questions, examples, waitingCells, unwaiting, touch, pages];
      const parts = [...here.map(async plugin => plugin()), ...FILES.map(beside)];
      const made = await Promise.allSettled(parts);
      made.filter(each => each.status === 'rejected').forEach(each => console.warn('workhorse:', each.reason));
      const plugins = made.filter(each => each.status === 'fulfilled').map(each => each.value);
      const exports = { __esModule: true, default: plugins };
      return () => exports;
    }
  };
})();
