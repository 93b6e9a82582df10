// The list of earlier runs: what its buttons ask of the page. The list's own element says which runs are chosen.

const chosen = () => JSON.parse(element.querySelector('.past').dataset.chosen)

/** Mark the chosen runs, and tell the page. */
function choose(names) {
  element.querySelector('.past').dataset.chosen = JSON.stringify(names)
  for (const button of element.querySelectorAll('button[data-do=choose]')) {
    button.setAttribute('aria-pressed', String(names.includes(button.dataset.name)))
  }
  trigger('click', {do: 'choose', names})
}

/** Copy a link's address; where the browser allows none, follow it. */
async function copy(link) {
  const before = link.textContent
  try {
    await navigator.clipboard.writeText(link.href)
  } catch {
    location.assign(link.href)
    return
  }
  link.textContent = 'Copied'
  setTimeout(() => { link.textContent = before }, 1500)
}

/** Show where what is opened begins: on a phone that is far below the controls. */
function arrive(tries) {
  const status = document.querySelector('#status')
  if (!status?.offsetParent) return tries && setTimeout(() => arrive(tries - 1), 50)
  document.querySelector('#seen').classList.add('started')
  if (innerWidth <= 800) status.scrollIntoView({behavior: 'instant'})
  else scrollTo({top: 0, behavior: 'instant'})
}

/** Ask before anything is deleted. */
function ask(button) {
  const dialog = element.querySelector('dialog')
  dialog.querySelector('p').textContent = button.dataset.ask
  dialog.onclose = () => {
    if (dialog.returnValue !== 'delete') return
    trigger('click', {do: 'delete', name: button.dataset.name})
    element.tabIndex = -1
    element.focus()
  }
  dialog.returnValue = ''
  dialog.showModal()
}

element.addEventListener('click', event => {
  const pressed = event.target.closest('[data-do]')
  if (!pressed) return
  const {do: what, name, pair, arm} = pressed.dataset
  if (what === 'open') {
    trigger('click', {do: 'open', name, pair, arm})
    arrive(100)
  }
  else if (what === 'delete') ask(pressed)
  else if (what === 'answer') element.querySelector('dialog').close(pressed.value)
  else if (what === 'choose') {
    const others = chosen().filter(each => each !== name)
    choose(pressed.ariaPressed === 'true' ? others : [...others, name].slice(-2))
  } else if (what === 'link' && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault()
    copy(pressed)
  }
})
