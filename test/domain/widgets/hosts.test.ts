import { expect, it } from 'vitest'
import { hostOf } from '../../../lib/domain/widgets/hosts.js'

it.each([
  ['https://lakeview.example.com', 'lakeview.example.com'],
  ['https://www.palm-grove.example', 'palm-grove.example'],
  ['http://Palm-Grove.Example:8080/page?q=1#top', 'palm-grove.example'],
  ['palm-grove.example', 'palm-grove.example'],
  ['WWW.Palm-Grove.Example.', 'palm-grove.example'],
  ['palm-grove.example/contact', 'palm-grove.example'],
  ['localhost:3000', 'localhost'],
  ['http://127.0.0.1:5500', '127.0.0.1'],
  ['https://münchen.example', 'xn--mnchen-3ya.example'],
  ['capacitor://LocalHost', 'localhost'],
])('reads the host of %j', (text, host) => {
  expect(hostOf(text)).toBe(host)
})

it.each(['null', '', ' ', 'file:///index.html', 'not a host', 'https://'])('finds no host in %j', text => {
  expect(hostOf(text)).toBe('')
})
