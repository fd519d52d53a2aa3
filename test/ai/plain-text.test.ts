import { expect, it } from 'vitest'
import { plainText } from '../../lib/ai/plain-text.js'

it.each([
  ['**2 BHK** from __₹85 L__', '2 BHK from ₹85 L'],
  ['## Prices\n\n\n- 2 BHK: `₹85 L`', 'Prices\n- 2 BHK: ₹85 L'],
  ['See [the plan](https://x.example/a) and ![photo](https://x.example/b.png)', 'See the plan and photo'],
  ['<b>Yes</b><script>alert(1)</script><!-- x -->', 'Yesalert(1)'],
  ['Hello <img src=x onerror=alert(1) ', 'Hello'],
  ['Hello <**img src=x onerror=alert(1)> <__script>alert(1)</__script>', 'Hello alert(1)'],
  ['<<b>img src=x onerror=alert(1)> <</b>/p>', '< img src=x onerror=alert(1)> < /p>'],
  ['[Plan](https://x.example/plan_(2).pdf "2 BHK"), [map]( https://x.example )', 'Plan, map'],
  ['[pay](javascript:alert(document.domain)) [[a](b)](javascript:alert(1))', 'pay [a] (javascript:alert(1))'],
  ['[pay]<b>(javascript:alert(1)) [pay]**(javascript:alert(1))', '[pay] (javascript:alert(1)) pay'],
  ['under 1 Cr < 2 Cr > 3', 'under 1 Cr < 2 Cr > 3'],
  ['a\u0000b\u001b[31m\r\n  c\t d', 'a b [31m\nc d'],
  ['   \n ', ''],
  ['हाँ, क्‍या 👨‍👩‍👧 ?', 'हाँ, क्‍या 👨‍👩‍👧 ?'],
])('of %j is %j', (text, plain) => {
  expect(plainText(text, 1_000)).toBe(plain)
})

it('ends behind a sentence where there is one, else behind a word, and is never longer than it may be', () => {
  expect(plainText('One sentence is here. Another one is not', 30)).toBe('One sentence is here.')
  expect(plainText('word '.repeat(20), 12)).toBe('word word…')
  expect(plainText('x'.repeat(50), 10)).toHaveLength(10)
  expect(plainText('😀'.repeat(20), 10)).toBe(`${'😀'.repeat(4)}…`)
  expect(plainText(`${'`'.repeat(38)}a😀`, 10)).toBe('a')
})

it('takes no longer for what is made to take long', () => {
  const startedAt = performance.now()
  for (const piece of ['[', '[]('.repeat(2), '[](()', '[](a', '<a', '**', '\n ', '# '])
    expect(plainText(piece.repeat(50_000), 1_200).length).toBeLessThanOrEqual(1_200)
  expect(performance.now() - startedAt).toBeLessThan(2_000)
})
