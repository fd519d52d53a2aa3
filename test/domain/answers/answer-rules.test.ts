import { describe, expect, it } from 'vitest'
import { answerByRule } from '../../../lib/domain/answers/answer-rules.js'
import { ChatInput } from '../../../lib/domain/answers/chat-input.js'
import { readIntents } from '../../../lib/domain/answers/chat-intents.js'
import { readFacts } from '../../../lib/domain/answers/property-facts.js'

const FULL = {
  projectName: 'Nivasa Enchante',
  location: 'Dhanori, Pune',
  availableBhk: ['2 BHK', '3.5 BHK', 'Duplex'],
  pricing: { '2 BHK': '₹85 L', '3.5 BHK': '₹1.3 Cr', Duplex: '₹2 Cr' },
  amenities: ['Pool', 'Gym'],
  possession: 'December 2027',
  specialOffers: 'No stamp duty until Diwali',
}
const OFFER = 'Would you like someone from our team to call you about it?'

function answer(message: string, more: object = {}, facts: Record<string, unknown> = FULL): string {
  const input = ChatInput.parse({ message, ...more })
  return answerByRule({
    input,
    facts: readFacts(facts),
    agentName: 'Riya',
    phonePrompt: 'Your number, please.',
  })
}

const wants = (message: string, more: object = {}) => readIntents(ChatInput.parse({ message, ...more })).wants

describe('an answer by rule', () => {
  it.each([
    ['What is the price?', 'Prices: 2 BHK (₹85 L), 3.5 BHK (₹1.3 Cr), Duplex (₹2 Cr).'],
    ['2bhk ka kitna hai', 'Price: 2 BHK (₹85 L).'],
    ['cost of 3.5 bedroom', 'Price: 3.5 BHK (₹1.3 Cr).'],
    ['How much is the duplex?', 'Price: Duplex (₹2 Cr).'],
    ['Pricing 💸', 'Prices: 2 BHK (₹85 L), 3.5 BHK (₹1.3 Cr), Duplex (₹2 Cr).'],
    ['WHERE IS IT LOCATED', 'Location: Dhanori, Pune.'],
    ['Which configurations do you have?', 'Configurations: 2 BHK, 3.5 BHK, Duplex.'],
    ['Do you offer a 2 BHK?', 'Configurations: 2 BHK, 3.5 BHK, Duplex.'],
    ['Is there a gym?', 'Amenities: Pool, Gym.'],
    ['When is possession', 'Possession: December 2027.'],
    ['any discounts', 'Current offer: No stamp duty until Diwali.'],
    ['Where is it and what does it cost?', /^Prices: .*\nLocation: Dhanori, Pune\.$/],
    ['I want a site visit', /site visits by phone\. Your number, please\.$/],
    ['Call me 📞', 'Your number, please.'],
    ['What is the price? Please call me', /^Prices: [^?]*\nYour number, please\.$/],
    ['Hi', /^Hello! This is Riya from Nivasa Enchante\. You can ask me about prices, /],
    ['Thank you!', /welcome/],
    ['Which bank is it?', /^Sorry, I did not understand that\. You can ask me about prices, conf/],
    ['क्या भाव है', /^Sorry/],
    ['Do not call me', /^All right, no call\./],
  ])('to %j is %s', (message, expected) => {
    if (expected instanceof RegExp) expect(answer(message)).toMatch(expected)
    else expect(answer(message)).toBe(expected)
  })

  it.each([
    ['What is the price?', 'I do not have the prices at hand.'],
    ['Where is it?', 'I do not have the exact location at hand.'],
    ['Which BHKs are there?', 'I do not have the configurations at hand.'],
    ['What amenities?', 'I do not have the amenities at hand.'],
    ['Possession date?', 'I do not have the possession date at hand.'],
    ['Offers?', 'I do not have the current offers at hand.'],
  ])(
    'to %j says that it does not know, and offers a person, where the project says nothing',
    (message, said) => {
      for (const facts of [{}, { availableBhk: [], amenities: [], pricing: {}, location: ' ', offers: null }])
        expect(answer(message, {}, facts)).toBe(`${said}\n${OFFER}`)
    },
  )

  it('never promises a subject that the project says nothing of', () => {
    const { location: _, specialOffers: __, ...facts } = FULL
    expect(answer('Hi', {}, facts)).not.toMatch(/location|offers/)
    expect(answer('Hi', {}, {})).toBe(
      'Hello! This is Riya. You can ask me about the property, or for a call from our team.',
    )
  })

  it('offers a person once, and not to whoever asks for one', () => {
    expect(answer('Price and location?', {}, {}).split(OFFER)).toHaveLength(2)
    expect(answer('Price? Call me back', {}, {})).toBe(
      'I do not have the prices at hand.\nYour number, please.',
    )
  })
})

describe('the price of a configuration', () => {
  it.each([
    ['2 BHK', 'Price: 2 BHK (₹85 L).'],
    [2, 'Price: 2 BHK (₹85 L).'],
    ['3.5', 'Price: 3.5 BHK (₹1.3 Cr).'],
    ['Duplex', 'Price: Duplex (₹2 Cr).'],
    ['Yet to decide', /^Prices: /],
    ['Just Browsing', /^Prices: /],
    [0, /^Prices: /],
    [{ $ne: null }, /^Prices: /],
    // 3 is not 3.5.
    ['3 BHK', /^I do not have the price of 3 BHK at hand\. Prices: 2 BHK .*\nWould you like/],
  ])('is that of the one that was picked: %j', (selectedBhk, expected) => {
    const said = answer('What is the price?', { selectedBhk })
    if (expected instanceof RegExp) expect(said).toMatch(expected)
    else expect(said).toBe(expected)
  })

  it('is that of the one in the question, whatever was picked', () => {
    expect(answer('Price of 3.5 BHK?', { selectedBhk: '2 BHK' })).toBe('Price: 3.5 BHK (₹1.3 Cr).')
  })

  it('is asked for by picking it after the button for prices', () => {
    expect(answer('2 BHK', { selectedCta: 'Pricing 💸' })).toBe('Price: 2 BHK (₹85 L).')
    expect(answer('2 BHK')).toMatch(/^Configurations: /)
    expect(answer('Which bank is it?', { selectedCta: 'Pricing 💸' })).toMatch(/^Sorry/)
  })

  it('is not taken from a number that is no configuration', () => {
    expect(answer('Is the price under 90')).toMatch(/^Prices: /)
    expect(answer('Is the price below 2.5 Cr')).toMatch(/^Prices: /)
  })
})

describe('facts', () => {
  it('are found by their usual names in any spelling, and read in any shape', () => {
    const facts = {
      Project_Name: 'Nivasa',
      Address: { line: 'Dhanori', city: 'Pune', geo: { lat: 18.6 } },
      'possession date': 2027,
      offers: ['No stamp duty', { title: 'Free modular kitchen' }],
      Pricing: '₹85 L onwards',
      availableBHK: '2 BHK',
      amenities: [['Pool'], null, true, 7],
    }
    expect(readFacts(facts)).toEqual({
      name: 'Nivasa',
      location: 'Dhanori, Pune, 18.6',
      possession: '2027',
      offers: 'No stamp duty, Free modular kitchen',
      price: '₹85 L onwards',
      prices: [],
      configurations: ['2 BHK'],
      amenities: ['Pool', '7'],
    })
  })

  it('are bounded, however much there is', () => {
    const deep = JSON.parse(`${'['.repeat(20_000)}${']'.repeat(20_000)}`)
    const many = Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`${i} BHK`, 'x'.repeat(5_000)]))
    const facts = readFacts({ location: deep, amenities: Array(5_000).fill('Pool'), pricing: many })
    expect(facts.location).toBeUndefined()
    expect(JSON.stringify(facts).length).toBeLessThan(20_000)
    expect(answer('amenities', {}, { amenities: Array(30).fill('Pool') })).toMatch(/Pool and 18 more\.$/)
  })

  it('with names of JavaScript’s own are facts like others', () => {
    const facts = JSON.parse(
      '{"__proto__": {"location": "Goa"}, "constructor": "x", "pricing": {"__proto__": "1"}}',
    )
    expect(answer('location', {}, facts)).toContain('do not have')
    expect(answer('price', {}, facts)).toBe('Prices: __proto__ (1).')
  })
})

describe('a visitor wants a person', () => {
  it.each([
    ['Call me', 'call'],
    ['can someone call back tomorrow', 'call'],
    ['I want to talk to a human', 'call'],
    ['Please contact me', 'call'],
    ['mujhse baat karo', 'call'],
    ['No problem, call me', 'call'],
    ["I don't know, please call me", 'call'],
    ['98765 43210', 'call'],
    ['my number is +91-98765-43210', 'call'],
    ['Site Visit 🏠', 'visit'],
    ['Can I visit on Sunday?', 'visit'],
    ['I would like to see the flat', 'visit'],
  ])('who says %j', (message, expected) => {
    expect(wants(message)).toBe(expected)
  })

  it.each([
    'Don’t call me',
    "don't ever call me please",
    'I do not want to be called',
    'no need to call',
    'no phone calls',
    'What is the price?',
    'What do you call it?',
    'My budget is 12000000',
    'I visited last week',
    'yes',
  ])('but not who says %j', message => {
    expect(wants(message)).toBeUndefined()
  })

  it('who says yes to our offer, and to nothing else', () => {
    const offered = { id: '1', type: 'agent', text: `I do not have the prices at hand.\n${OFFER}` }
    const yes = (message: string, ...conversation: object[]) => wants(message, { conversation })
    expect(yes('Yes please!', offered)).toBe('call')
    expect(yes('haan ji', offered)).toBe('call')
    expect(yes('ok', offered, { id: '2', type: 'user', text: 'ok' })).toBe('call')
    expect(yes('Yes, but what does it cost?', offered)).toBeUndefined()
    expect(yes('no', offered)).toBeUndefined()
    expect(yes('yes', offered, { id: '2', type: 'agent', text: 'Which one?' })).toBeUndefined()
    expect(yes('yes', { id: '1', type: 'user', text: OFFER })).toBeUndefined()
  })

  it('by the button picked before, where the message only says which configuration', () => {
    expect(wants('3 BHK', { selectedCta: 'Book a site visit' })).toBe('visit')
    expect(wants('What about parking?', { selectedCta: 'Book a site visit' })).toBeUndefined()
  })
})

describe('a question', () => {
  it('is read in no time, whatever it is made of', () => {
    const startedAt = performance.now()
    for (const piece of ['9 ', 'yes,', 'no call ', 'do not ', 'price ', '? ', 'call you ', '1.1'])
      answer(piece.repeat(2_000), {
        selectedBhk: piece.repeat(2_000),
        conversation: [{ type: 'agent', text: piece.repeat(2_000) }],
      })
    expect(performance.now() - startedAt).toBeLessThan(1_000)
  })

  it('has to be there, and is all that has to be', () => {
    for (const message of [undefined, null, '', '  \n', {}, [], true])
      expect(ChatInput.safeParse({ message }).success).toBe(false)
    const odd = {
      conversation: 'x',
      projectId: {},
      microsite: 7,
      selectedCta: [],
      selectedBhk: true,
      propertyInfo: 'x',
    }
    expect(ChatInput.parse({ message: 2, ...odd })).toEqual({
      message: '2',
      conversation: [],
      microsite: '7',
      propertyInfo: {},
    })
  })

  it('keeps the last ten messages, and every text within its bound', () => {
    const conversation = Array.from({ length: 30 }, (_, i) => ({
      type: 'user',
      text: `${i} ${'x'.repeat(5_000)}`,
    }))
    const input = ChatInput.parse({ message: 'x'.repeat(5_000), conversation })
    expect(input.message).toHaveLength(1_000)
    expect(input.conversation).toHaveLength(10)
    expect(input.conversation[0]?.text).toMatch(/^20 x{597}$/)
  })
})
