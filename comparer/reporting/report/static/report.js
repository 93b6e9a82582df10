// What the report does besides its viewer.
(() => {
'use strict'
for (const image of document.querySelectorAll('img[data-same]')) {
  image.src = document.getElementById(image.dataset.same).src
}

/** Bring what the address names into view: a pair in the viewer, or a section, unfolded. */
function arrive() {
  const target = document.getElementById(location.hash.slice(1))
  if (target?.matches('details')) target.open = true
  if (location.hash.startsWith('#pair=')) document.getElementById('look').scrollIntoView()
}

document.addEventListener('click', event => {
  if (event.target.closest('.sheet a')) document.getElementById('look').scrollIntoView()
})
addEventListener('hashchange', arrive)
addEventListener('beforeprint', () => document.querySelectorAll('details').forEach(fold => { fold.open = true }))
arrive()
})()
