() => {
  const hints = {refresh: 'Look for new checkpoints', dice: 'A new random seed each time',
    reuse: 'The seeds of the run that is shown', settings: 'Fill the controls from the run that is shown'}
  const hint = event => {
    const button = event.target.closest?.('button')
    if (button && hints[button.id] && !button.title) button.title = hints[button.id]
  }
  document.addEventListener('pointerover', hint)
  document.addEventListener('focusin', hint)
  document.addEventListener('keydown', event => {
    if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return
    if (!event.target.matches('textarea, input')) return
    event.preventDefault()
    event.stopPropagation()
    document.querySelector('#generate').click()
  }, true)
}
