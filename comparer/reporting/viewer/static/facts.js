// The table below the pictures: what differs between the shots; equal rows are dimmed.

/** List [title, texts by arm, whether they are all the same]: what differs first. */
function compared(pair, arms) {
  const shots = arms.map(arm => new Map(pair.shots[arm]?.facts ?? []))
  const titles = [...new Set(shots.flatMap(facts => [...facts.keys()]))]
  const rows = titles.map(title => {
    const texts = shots.map(facts => facts.get(title) ?? '–')
    return [title, texts, texts.every(text => text === texts[0])]
  })
  return [...rows.filter(row => !row[2]), ...rows.filter(row => row[2])]
}

/** Build the table. */
function factsTable(data, pair, arms) {
  const rows = compared(pair, arms), differ = rows.filter(row => !row[2]).length
  const head = make('tr', {}, make('td'), ...arms.map(arm => make('th', {scope: 'col', text: data.arms[arm].name})))
  const body = rows.map(([title, texts, same]) => make('tr', {class: same ? 'same' : ''},
    make('th', {scope: 'row', text: title}), ...texts.map(text => make('td', {text}))))
  const caption = `What differs: ${differ} of ${rows.length} rows`
  return make('table', {}, make('caption', {text: caption}), make('thead', {}, head), make('tbody', {}, ...body))
}
