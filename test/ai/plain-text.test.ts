import { expect, it } from 'vitest'
import { plainText } from '../../lib/ai/plain-text.js'

it.each([
  ['**2 BHK** from __₹85 L__', '2 BHK from ₹85 L'],
  ['## Prices\n\n\n- 2 BHK: `₹85 L`', 'Prices\n- 2 BHK: ₹85 L'],
  ['See [the plan](https://x.example/a) and ![photo](https://x.example/b.png)', 'See the plan and photo'],
  ['<b>Yes</b><script>alert(1)</script><!-- x -->', 'Yesalert(1)'],
  ['Hello <img src=x onerror=alert(1) ', 'Hello'],
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
})

it('takes no longer for what is made to take long', () => {
  const startedAt = performance.now()
  for (const piece of ['[', '[]('.repeat(2), '<a', '**', '\n ', '# '])
    expect(plainText(piece.repeat(50_000), 1_200).length).toBeLessThanOrEqual(1_200)
  expect(performance.now() - startedAt).toBeLessThan(2_000)
})
