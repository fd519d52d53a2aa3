import type { z } from 'zod'
import type { PlanName } from '../../lib/domain/usage/plans.js'
import type { WidgetConfigInput } from '../../lib/domain/widgets/widget-config-input.js'

/** What signs in as everybody of a demonstration. */
export const DEMO_PASSWORD = 'leadline-demo'

/** One business of the demonstration: an account on a plan, its phone number, its calls, perhaps a widget. */
export interface Business {
  plan: PlanName
  name: string
  company: string
  industry: string
  greeting: string
  /** Calls of the current month and of the one before it. */
  calls: { now: number; before: number }
  /** Mean length of a call, in seconds. */
  seconds: number
  site?: Site
}

/** A microsite with a widget. */
export interface Site {
  name: string
  visitsADay: number
  config: z.input<typeof WidgetConfigInput>
}

/** One business on each plan: near its limit, over it, well within it, and without any. */
export const businesses: readonly Business[] = [
  {
    plan: 'free',
    name: 'Meera Iyer',
    company: 'Iyer Homes',
    industry: 'Real estate',
    greeting: 'Iyer Homes, good day! How can I help you?',
    calls: { now: 9, before: 6 },
    seconds: 90,
    site: {
      name: 'lakeview-residency',
      visitsADay: 8,
      config: {
        agentName: 'Tara',
        primaryColor: '#0f766e',
        welcomeMessage: 'Hello! Looking for a home by the lake?',
        propertyInfo: {
          availableBhk: ['1 BHK', '2 BHK'],
          amenities: ['Lake promenade', 'Children’s play area', 'Covered parking'],
          pricing: { '1 BHK': '₹42 L', '2 BHK': '₹68 L' },
          location: 'Powai, Mumbai',
          possession: 'Ready to move in',
        },
      },
    },
  },
  {
    plan: 'basic',
    name: 'Rohan Mehta',
    company: 'Nivasa Developers',
    industry: 'Real estate',
    greeting: 'You have reached Nivasa Developers.',
    calls: { now: 104, before: 58 },
    seconds: 140,
    site: {
      name: 'nivasa-heights',
      visitsADay: 22,
      config: {
        agentName: 'Riya',
        primaryColor: '#2563eb',
        welcomeMessage: 'Hi! I’m Riya. Which home are you looking for?',
        propertyInfo: {
          availableBhk: ['2 BHK', '3 BHK', '4 BHK'],
          amenities: ['Clubhouse', 'Swimming pool', 'Gym', 'Jogging track'],
          pricing: { '2 BHK': '₹85 L', '3 BHK': '₹1.25 Cr', '4 BHK': '₹1.9 Cr' },
          location: 'Whitefield, Bengaluru',
          possession: 'December 2027',
        },
      },
    },
  },
  {
    plan: 'premium',
    name: 'Ananya Rao',
    company: 'Skyline Estates',
    industry: 'Real estate',
    greeting: 'Skyline Estates, this is your assistant speaking.',
    calls: { now: 60, before: 45 },
    seconds: 210,
    site: {
      name: 'skyline-one',
      visitsADay: 14,
      config: {
        agentName: 'Arjun',
        primaryColor: '#7c3aed',
        welcomeMessage: 'Welcome to Skyline One. May I show you around?',
        propertyInfo: {
          availableBhk: ['3 BHK', '4 BHK', 'Duplex'],
          amenities: ['Rooftop garden', 'Concierge', 'EV charging', 'Theatre'],
          pricing: { '3 BHK': '₹2.1 Cr', '4 BHK': '₹2.9 Cr', Duplex: '₹4.4 Cr' },
          location: 'Banjara Hills, Hyderabad',
          possession: 'June 2028',
        },
      },
    },
  },
  {
    plan: 'enterprise',
    name: 'Vikram Singh',
    company: 'Orchid Clinics',
    industry: 'Health care',
    greeting: 'Orchid Clinics, how may I direct your call?',
    calls: { now: 40, before: 30 },
    seconds: 160,
  },
]

export const FIRST_NAMES = [
  'Aarav',
  'Aditi',
  'Farhan',
  'Ishita',
  'Kabir',
  'Karan',
  'Lakshmi',
  'Neha',
  'Priya',
  'Rahul',
  'Sanjay',
  'Zoya',
] as const

export const LAST_NAMES = [
  'Agarwal',
  'Das',
  'Fernandes',
  'Gupta',
  'Khan',
  'Nair',
  'Patel',
  'Reddy',
  'Shah',
] as const

/** What a visitor asks the widget, and what it answers. */
export const CHAT_LINES = [
  ['What is the price?', 'Prices start at the amount on this page; a colleague can send you the full sheet.'],
  ['When is possession?', 'The date is on the page; towers A and B come first.'],
  ['Is there a clubhouse?', 'Yes, with a pool and a gym.'],
  ['Can I visit this weekend?', 'Gladly: every day from 10 to 6.'],
  ['Do you help with a home loan?', 'Yes, with all the large banks.'],
] as const

/** What a caller says, and what the agent answers. */
export const CALL_LINES = [
  ['Hello, I saw your advertisement.', 'Thank you for calling! What would you like to know?'],
  ['What are your opening hours?', 'We are open from ten to six, Monday to Saturday.'],
  ['Can somebody call me back tomorrow?', 'Certainly. Which time suits you?'],
  ['In the morning, about eleven.', 'I have noted eleven o’clock. Anything else?'],
  ['No, that is all. Thank you.', 'Thank you for calling. Good-bye!'],
] as const
