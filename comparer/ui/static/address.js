said => {
  // The run that is shown, in the address; whatever else stands there, as ?__theme=dark, stays.
  const url = new URL(location), query = url.searchParams, run = new URLSearchParams(said).get('run')
  const first = window.comparerRun === undefined, pair = query.get('pair')
  // The pair is the viewer's: it stands behind the #, and goes with its run.
  if (first && pair && query.get('run') === run) url.hash = `pair=${pair}&arm=${query.get('arm') ?? 1}`
  else if (!first && window.comparerRun !== run && url.hash.startsWith('#pair=')) url.hash = ''
  for (const key of ['run', 'pair', 'arm']) query.delete(key)
  if (run) query.set('run', run)
  url.search = url.search.replaceAll('%3A', ':').replaceAll('%2F', '/')
  window.comparerRun = run
  history.replaceState(history.state, '', url)
  if (!first || !url.hash.startsWith('#pair=')) return
  // The link is one to a pair: look at it closely, as soon as the tab for that is there.
  let tries = 50
  const wait = setInterval(() => {
    const tab = document.querySelector('#views button[data-tab-id=compare]')
    if (tab?.offsetParent) tab.click()
    if (tab?.offsetParent || !tries--) clearInterval(wait)
  }, 100)
}
