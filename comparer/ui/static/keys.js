() => {
  const hints = {inspect: 'What is in the files of this checkpoint', refresh: 'Look for new checkpoints', dice: 'A new random seed each time',
    reuse: 'The seeds of the run that is shown', settings: 'Fill the controls from the run that is shown'}
  const hint = event => {
    const button = event.target.closest?.('button')
    if (button && hints[button.id] && !button.title) button.title = hints[button.id]
  }
  document.addEventListener('pointerover', hint)
  document.addEventListener('focusin', hint)
  // Pictures want the room that the weights card or a check takes.
  document.addEventListener('click', event => {
    if (event.target.closest?.('#generate, #more')) document.querySelector('#card details')?.removeAttribute('open')
  })
  // On a phone what happens is far below the button. A listener of Gradio's would run after the server's part.
  document.addEventListener('click', event => {
    const pressed = innerWidth <= 800 && event.target.closest?.('#generate, #fetch, #more, #inspect')
    if (!pressed) return
    document.querySelector('#seen').classList.add('started')
    document.querySelector(pressed.id === 'inspect' ? '#seen' : '#status').scrollIntoView({behavior: 'instant'})
  })
  document.addEventListener('keydown', event => {
    if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return
    if (!event.target.matches('textarea, input')) return
    event.preventDefault()
    event.stopPropagation()
    document.querySelector('#generate').click()
  }, true)
}
