# First steps. The commands come from docs/quickstart.md.

guide-title = First steps
guide-lead = From an empty installation to a first enrolled device, in about ten minutes. Run the commands in one terminal, in this order, in an empty folder.

guide-title-shell = Say which server you talk to
guide-text-shell = The command line takes the server's address and the roots to trust from these variables.
guide-title-install = Make an installation and serve it
guide-text-install = The root key is made and sealed under a passphrase of its own: take the folder root offline afterwards. At its first start the server prints a link; open it to make your passkey and to come into this console.
guide-title-join = Let an organisation join
guide-text-join = As the platform's administrator: a device maker, with a person who may act for it. Her key is made here and goes nowhere.
guide-title-maker = Prepare the production line
guide-text-maker = As the maker: a station for the daily work, the key that signs life events, a product line, and a CA of its own that the root certifies.
guide-title-device = Enrol a first device
guide-text-device = Register it, begin its history, release a one-time code for it alone, and fetch its certificate over EST. Here the command line plays the device.
guide-title-verify = Ask whether it is genuine
guide-text-verify = The device proves over a fresh challenge that it has its key.
guide-title-passport = Take its passport along
guide-text-passport = One file that anybody can check offline, and the file with what to trust.
guide-title-console = See it here
guide-text-console = Sign in to the console as a person of the organisation: the device stands in its list, with its passport and its history.
