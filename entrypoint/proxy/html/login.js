// Without it the form does the same, but for what it shows.
(() => {
  const form = document.querySelector('form');
  const password = document.getElementById('password_input');
  const button = document.getElementById('login_submit');
  const show = document.getElementById('show_password');

  show.hidden = false;
  show.addEventListener('click', () => {
    const shown = password.type === 'password';
    password.type = shown ? 'text' : 'password';
    show.setAttribute('aria-pressed', String(shown));
    password.focus();
  });
  // What is sent is a password again, and no browser keeps it as text that was typed.
  form.addEventListener('submit', () => {
    password.type = 'password';
  });

  // A browser keeps nothing of a server that it was only told to go on to: what it has kept, it trusts.
  const hint = document.getElementById('trust_hint');
  const icon = document.querySelector('link[rel=icon]').href;
  if (hint) {
    fetch(icon, { cache: 'only-if-cached', mode: 'same-origin' })
      .then(answer => {
        hint.hidden = answer.ok;
      })
      .catch(() => fetch(icon))
      .catch(() => undefined);
  }

  // While guesses are refused, what is typed stays.
  const until = Date.now() + 1000 * Number(form.dataset.wait);
  const label = button.textContent;
  const tick = () => {
    const left = Math.ceil((until - Date.now()) / 1000);
    button.disabled = left > 0;
    button.textContent = left > 0 ? `${label} in ${left} s` : label;
    if (left > 0) {
      setTimeout(tick, 250);
    } else {
      document.querySelector('[role=alert]').textContent = 'You can try again now.';
    }
  };
  if (Number(form.dataset.wait) > 0) {
    tick();
  }
})();
