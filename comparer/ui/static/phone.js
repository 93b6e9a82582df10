// Where the columns do not fit beside each other, two buttons switch between settings and results. A run that starts
// and a result that is opened by a link show the results.
const show = results => {
  const main = document.querySelector('#main')
  if (!main) return void setTimeout(() => show(results), 50)
  main.classList.toggle('results', results)
  for (const button of element.querySelectorAll('button'))
    button.setAttribute('aria-pressed', String((button.dataset.column === 'seen') === results))
}
element.addEventListener('click', event => {
  const button = event.target.closest('button')
  if (button) show(button.dataset.column === 'seen')
})
document.addEventListener('click', event => {
  if (event.target.closest('#generate, #more, #goon button, #past button[data-do=open]')) show(true)
  else if (event.target.closest('#settings')) show(false)
})
show(Boolean(new URLSearchParams(location.search).get('run')))
