import type { ChatInput } from './chat-input.js'

/** What a visitor asks about, of what a project has facts on. */
export type Topic = 'price' | 'location' | 'configuration' | 'amenities' | 'possession' | 'offers'

/** What a question is about, read by rule: the same question is always read the same. */
export interface Intents {
  topics: Topic[]
  /** The visitor wants to be called, to talk to a person or to see the place: the widget asks for the number. */
  wants?: 'call' | 'visit'
  /** Asks not to be called. */
  refusesCall: boolean
  isGreeting: boolean
  isThanks: boolean
}

/** English, and the Hindi that visitors write in Latin letters. */
const TOPICS: readonly [Topic, RegExp][] = [
  ['price', /₹|\b(?:pric\w*|costs?|rates?|budget|how much|kitn[aei]|ki?mat|keemat|daam)\b/],
  ['location', /\b(?:locat\w*|where|address|map|near(?:by|est)?|connectivity|landmarks?|how far|kaha+n?)\b/],
  [
    'configuration',
    /\b(?:configurations?|typolog\w*|floor ?plans?|layouts?|unit (?:types?|plans?)|bed(?:room)?s?|duplex)\b|\bbhks?\b|\dbhk\b/,
  ],
  [
    'amenities',
    /\b(?:amenit\w*|facilit\w*|features|club ?house|gym\w*|(?:swimming )?pool|parking|garden|play ?(?:ground|area)|security)\b/,
  ],
  [
    'possession',
    /\b(?:possession|hand ?over|ready to move|move[ -]in|complet(?:ion|ed)|under construction|kab)\b/,
  ],
  ['offers', /(?<!\b(?:you|they) )\b(?:offers?|discounts?|deals?|schemes?|cash ?back)\b/],
]

const VISIT =
  /\b(?:site ?visits?|visit(?:ing)?|show ?flat|sample flat|(?:see|view) the (?:site|place|flat|property|project|home)|dekhna)\b/

const CALL = [
  /\bcall(?: ?back)?\b(?! it\b)/,
  /\b(?:phone|ring|contact|connect|reach|whatsapp) (?:me|us|you)\b/,
  /\b(?:talk|speak|chat) (?:to|with)\b|\bget in touch\b|\bbaat kar\w*/,
  /\b(?:human|real person|representative|executive|agent|expert|sales (?:person|team|rep))\b/,
  /\b(?:phone|contact|mobile|whatsapp) (?:number|details)\b/,
  // Whoever writes a phone number wants it to be used.
  /(?<!\d)\+?\d(?:[ -]?\d){9,12}(?!\d)/,
]

/** Only words that belong to it may stand between: "no problem, call me" refuses nothing. */
const NO_CALL =
  /\b(?:do not|don['’]?t|never|no|stop|without)(?: (?:ever|want|need|like|you|anyone|me|to|be|get|a|any|more|phone|sales|please)){0,5} (?:call\w*|phone|contact\w*|whatsapp)\b/

const YES =
  /^\W*(?:yes|yeah|yep|yup|sure|ok|okay|please|haa?n|ji|of course|go ahead)\b(?:[\s,.!]+(?:yes|please|sure|do|ji|sir|ok|okay))*\W*$/

const GREETING = /^\W*(?:hi+|hello+|hey+|namaste|namaskar|good (?:morning|afternoon|evening))\b/

const THANKS = /\b(?:thanks?|thank you|thx|dhanyavaa?d|shukriya)\b/

/** How our own answers, and a model that is told to, offer a person. */
const OFFERS_PERSON = /\b(?:call you|get in touch|contact you|reach out|site visit)\b[^?]*\?/i

/** A configuration and nothing else: what is asked of it was said before, by a button of the widget. */
const ONLY_CONFIGURATION = /^\W*\d(?:\.\d)?\s*-?\s*bhk\W*$/

/** Reads what a visitor wants. */
export function readIntents({ message, selectedCta, conversation }: ChatInput): Intents {
  const text = normalise(message)
  const picked = ONLY_CONFIGURATION.test(text) ? readText(normalise(selectedCta ?? '')) : { topics: [] }
  const said = picked.topics.length > 0 || picked.wants ? picked : readText(text)
  const accepts = YES.test(text) && OFFERS_PERSON.test(lastAnswer(conversation, message))
  return {
    ...said,
    ...(accepts && { wants: 'call' }),
    refusesCall: NO_CALL.test(text),
    isGreeting: GREETING.test(text),
    isThanks: THANKS.test(text),
  }
}

function readText(text: string): Pick<Intents, 'topics' | 'wants'> {
  const found = TOPICS.filter(([, pattern]) => pattern.test(text)).map(([topic]) => topic)
  // "The price of a 2 BHK" asks for no list of configurations; the prices are one.
  const topics = found.includes('price') ? found.filter(topic => topic !== 'configuration') : found
  if (NO_CALL.test(text)) return { topics }
  if (VISIT.test(text)) return { topics, wants: 'visit' }
  return CALL.some(pattern => pattern.test(text)) ? { topics, wants: 'call' } : { topics }
}

function lastAnswer(conversation: ChatInput['conversation'], message: string): string {
  const before = conversation.filter(({ role, text }) => role === 'agent' || text !== message)
  const last = before.at(-1)
  return last?.role === 'agent' ? last.text : ''
}

function normalise(text: string): string {
  return text.normalize('NFKC').toLowerCase().replace(/\s+/g, ' ')
}
